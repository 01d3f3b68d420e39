import { nudgeAgent } from "../../agent/agent_lock.ts";
import type { Metadata } from "../../capture/metadata.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { eachFile } from "../each_file.ts";
import type { Store } from "../store.ts";

/** Queues every file of the command line that can be, and says which cannot. */
export async function enqueueEach(
  context: CommandContext,
  metadata: Metadata,
  store: Store,
): Promise<number> {
  const { settings, given, out } = context;
  return await eachFile(context, async (filepath) => {
    const id = await store.intake.add(filepath, metadata, settings);
    nudgeAgent(store.queue.path);
    out(given.has("json") ? JSON.stringify({ id, filepath }) : id);
    return ExitCode.ok;
  });
}
