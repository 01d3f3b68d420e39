import { createLog, isJournal } from "../log.ts";
import { reconcileSpool } from "../recovery.ts";
import { createAgent, createUploader } from "./agent_parts.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { openStore } from "./store.ts";

/** Is the agent until the program is told to stop. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, signal } = context;
  const log = createLog({
    write: context.err,
    journal: isJournal(Deno.env.get("JOURNAL_STREAM")),
    verbose: settings.verbose,
  });
  // The breaker waits between attempts, not the uploader.
  await using uploader = createUploader(settings, { maxRetries: 1 });
  using store = openStore(settings);
  const agent = createAgent(settings, store, uploader, log);
  context.onReload(() => {
    try {
      settings.token.reload();
      log("info", "The token was read again");
    } catch (error) {
      const { message } = error as Error;
      log("error", `${message}; going on with the token of before`);
    }
  });
  const { pending } = store.queue.getStats();
  await agent.run(signal, {
    onLocked: async () => {
      log(
        "info",
        `Delivering to ${uploader.serverUrl}, ${pending} captures waiting`,
      );
      // Before the folders: a watched file whose entry a crash left without a
      // row would be taken over a second time.
      await reconcileSpool(store.queue, store.spool, { log, signal })
        .catch(({ message }) =>
          log("error", `Cannot look through the spool: ${message}`)
        );
    },
    onReady: () => {
      for (const dir of settings.watch) log("info", `Watching "${dir}"`);
    },
  });
  log("info", "Stopped");
  return ExitCode.ok;
}
