import { createLog } from "../../host/log.ts";
import type { CommandContext } from "../command.ts";
import { enqueueEach } from "./enqueue_each.ts";
import { openMendedStore } from "../mended_store.ts";
import { readMetadata } from "../metadata_options.ts";

/**
 * Queues files, and does first whatever that takes: for what `quick_enqueue.ts`,
 * which is tried before, leaves alone.
 */
export async function run(context: CommandContext): Promise<number> {
  const metadata = readMetadata(context.given);
  const log = createLog({ write: context.err });
  using store = await openMendedStore(context.settings, { log });
  return await enqueueEach(context, metadata, store);
}
