import { UsageError } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import {
  install,
  logs,
  print,
  restart,
  status,
  uninstall,
} from "../service/service.ts";

const ACTIONS: Record<
  string,
  (context: CommandContext) => Promise<number>
> = { install, uninstall, status, print, restart, logs };

/** Looks after the systemd user unit that is the agent. */
export async function run(context: CommandContext): Promise<number> {
  const name = context.args[0]!;
  const action = ACTIONS[name]!;
  const [option] = context.given.onCommandLine().names();
  if (option !== undefined && action !== install && action !== print) {
    throw new UsageError(
      `Cannot use --${option} with "service ${name}": expected it with "service install" or "service print"`,
    );
  }
  return await action(context);
}
