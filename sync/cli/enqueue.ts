import { createLog } from "../log.ts";
import type { CommandContext } from "./command.ts";
import { enqueueEach } from "./enqueue_each.ts";
import { openMendedStore } from "./mended_store.ts";
import { readMetadata } from "./metadata_options.ts";

/** Queues files, whatever must be done first for that: see `quick_enqueue.ts` for the rest. */
export async function run(context: CommandContext): Promise<number> {
  const metadata = readMetadata(context.given);
  const log = createLog({ write: context.err });
  using store = await openMendedStore(context.settings, { log });
  return await enqueueEach(context, metadata, store);
}
