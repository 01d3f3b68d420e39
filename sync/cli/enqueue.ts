import { NoRoomError } from "../intake.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { readMetadata } from "./metadata_options.ts";
import { nudgeAgent, openStore } from "./store.ts";

/** Queues every file that can be, and says which cannot. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, args, out, err, signal } = context;
  const metadata = readMetadata(given);
  using store = openStore(settings);
  let code: number = ExitCode.ok;
  for (const filepath of args) {
    if (signal.aborted) return ExitCode.failure;
    try {
      const id = await store.intake.add(filepath, metadata, settings);
      nudgeAgent(store.queue);
      out(given.has("json") ? JSON.stringify({ id, filepath }) : id);
    } catch (error) {
      err(`jarvis-agent: ${error instanceof Error ? error.message : error}`);
      const temporary = error instanceof NoRoomError &&
        code !== ExitCode.failure;
      code = temporary ? ExitCode.temporary : ExitCode.failure;
    }
  }
  return code;
}
