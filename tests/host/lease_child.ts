/** Asks again and again who has a file open, until its input ends: `lease_child.ts PATH`. */
import { setImmediate } from "node:timers";
import { openRegularFile } from "../../sync/host/opened_file.ts";

using file = openRegularFile(Deno.args[0]!);
let isOver = false;
const ended = Deno.stdin.read(new Uint8Array(1)).then(() => isOver = true);
console.log("asking");
while (!isOver) {
  for (let n = 0; n < 1_000; n++) file.isOpenForWriting();
  await new Promise((resolve) => setImmediate(resolve));
}
await ended;
