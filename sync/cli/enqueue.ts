import { nudgeAgent } from "../agent_lock.ts";
import { createLog } from "../log.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { eachFile } from "./each_file.ts";
import { readMetadata } from "./metadata_options.ts";
import { openMendedStore } from "./store.ts";

/** Queues every file that can be, and says which cannot. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out, endsProcess } = context;
  const metadata = readMetadata(given);
  const log = createLog({ write: context.err });
  const mayLeave = endsProcess;
  using store = await openMendedStore(settings, { log, mayLeave });
  return await eachFile(context, async (filepath) => {
    const id = await store.intake.add(filepath, metadata, settings);
    nudgeAgent(store.queue.path);
    out(given.has("json") ? JSON.stringify({ id, filepath }) : id);
    return ExitCode.ok;
  });
}
