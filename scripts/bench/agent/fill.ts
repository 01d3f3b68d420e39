/**
 * Hands captures over to a data directory, for another program to deliver.
 *
 * @module
 */
import { join } from "@std/path";
import { Intake } from "../../../sync/spool/intake.ts";
import { UploadQueue } from "../../../sync/mod.ts";
import { Spool } from "../../../sync/spool/spool.ts";
import { readInput } from "../children.ts";

if (import.meta.main) {
  const { dataDir, paths } = await readInput<
    { dataDir: string; paths: string[] }
  >();
  using queue = new UploadQueue(join(dataDir, "queue.db"));
  const spool = new Spool(join(dataDir, "spool"));
  const intake = new Intake(queue, spool, { minFreeBytes: 0 });
  for (const path of paths) await intake.add(path, '{"door":3}');
  console.log(JSON.stringify({ captures: paths.length }));
}
