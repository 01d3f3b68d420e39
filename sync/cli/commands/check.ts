import { createUploader, describeReadiness } from "../create_uploader.ts";
import { type CommandContext, ExitCode } from "../command.ts";

/** Asks the server whether it is ready. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, out } = context;
  await using uploader = createUploader(settings, { maxRetries: 1 });
  const readiness = await uploader.probe();
  out(describeReadiness(uploader.serverUrl, readiness));
  return readiness.ready ? ExitCode.ok : ExitCode.temporary;
}
