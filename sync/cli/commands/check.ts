import { createUploader } from "../agent_parts.ts";
import { type CommandContext, ExitCode } from "../command.ts";

/** Asks the server whether it is ready. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, out } = context;
  await using uploader = createUploader(settings, { maxRetries: 1 });
  const ready = await uploader.checkServer();
  out(`${uploader.serverUrl} is ${ready ? "ready" : "not ready"}`);
  return ready ? ExitCode.ok : ExitCode.temporary;
}
