/**
 * The reference server as a process that can be killed: prints its port, and
 * takes misbehaviours as lines of JSON on standard input. It ends with that.
 */

import {
  type Misbehaviour,
  NO_MISBEHAVIOUR,
} from "../../scripts/server/misbehaviour.ts";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
import { Random } from "../helpers/random.ts";

const [dir = "", seed = "0"] = Deno.args;
const random = new Random(Number(seed));
const server = new ReferenceServer({
  dir,
  // A kill loses nothing that was written.
  fsync: false,
  random: () => random.next(),
});
console.log(new URL(server.url).port);

Deno.addSignalListener("SIGTERM", async () => {
  await server.close({ graceMs: 1000 });
  Deno.exit(0);
});

let text = "";
for await (
  const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
) {
  const lines = (text + part).split("\n");
  text = lines.pop()!;
  for (const line of lines) {
    const changes: Partial<Misbehaviour> = JSON.parse(line);
    server.misbehave({ ...NO_MISBEHAVIOUR, ...changes });
  }
}
Deno.exit(0);
