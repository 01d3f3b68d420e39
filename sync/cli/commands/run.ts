import { variable } from "../../host/environment.ts";
import { Notifier } from "../../host/notify.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { Service } from "../daemon/service.ts";
import { dryRun } from "../dry_run.ts";

/** Is the agent until the program is told to stop. */
export async function run(context: CommandContext): Promise<number> {
  if (context.given.has("dry-run")) return dryRun(context);
  const signal = context.stopSignal();
  const socket = variable("NOTIFY_SOCKET");
  await using notifier = new Notifier({ socket });
  signal.addEventListener("abort", () => notifier.stopping());
  await new Service(context, notifier).run(signal);
  return ExitCode.ok;
}
