import { nudgeAgent } from "../../agent/agent_lock.ts";
import { createLog } from "../../host/log.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { afterDoing, eachFile } from "../each_file.ts";
import { hasQueue, openStore } from "../store.ts";
import { readMetadata } from "../metadata.ts";

/** Queues every file of the command line that can be, and says which cannot. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out, err } = context;
  const metadataJson = await readMetadata(given);
  const priority = given.number("priority", { min: 0, max: 100 });
  const isNew = !hasQueue(settings);
  using store = await openStore(settings, {
    log: createLog({ write: err }),
  });
  // With another HOME, or as another user, it is not the agent's.
  if (isNew) {
    err(
      `jarvis-agent: Made a new queue in "${settings.dataDir}": only an agent with that data directory delivers what is in it`,
    );
  }
  if (settings.mode === "reference") {
    err(
      "jarvis-agent: No copy is kept: the file must stay where it is, unchanged, until it is delivered",
    );
  }
  return await eachFile(context, async (filepath) => {
    const id = await store.intake.add(filepath, metadataJson, settings);
    afterDoing(`"${filepath}" is queued as ${id}`, () => {
      if (priority > 0) store.queue.setPriority(id, priority);
      nudgeAgent(store.queue.path);
      out(given.has("json") ? JSON.stringify({ id, filepath }) : id);
    });
    return ExitCode.ok;
  });
}
