/** Hands a capture over under a umask, and prints who may read what comes of it. */

import { prepareDataDir } from "../../sync/host/data_dir.ts";
import { Intake } from "../../sync/spool/intake.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { Spool } from "../../sync/spool/spool.ts";

const [umask, dir] = Deno.args as [string, string];
const capture = `${dir}.png`;
Deno.writeTextFileSync(capture, "bytes");
Deno.umask(Number(umask));
prepareDataDir(dir);
using queue = new UploadQueue(`${dir}/queue.db`, { reserveBytes: 4096 });
const intake = new Intake(queue, new Spool(`${dir}/spool`), {
  minFreeBytes: 0,
});
await intake.add(capture, "{}");
show("jarvis", dir);

function show(name: string, path: string): void {
  const { mode, isDirectory } = Deno.statSync(path);
  console.log((mode! & 0o777).toString(8), name);
  if (!isDirectory) return;
  for (const entry of Deno.readDirSync(path)) {
    show(`${name}/${entry.name}`, `${path}/${entry.name}`);
  }
}
