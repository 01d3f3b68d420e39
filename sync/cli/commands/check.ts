import {
  createUploader,
  describeReadiness,
} from "../daemon/create_uploader.ts";
import { type CommandContext, ExitCode } from "../command.ts";

/** Asks the server whether it is ready. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out } = context;
  await using uploader = createUploader(settings);
  const isGiven = given.text("timeout") !== undefined;
  const { timeoutMs } = settings;
  const readiness = await uploader.probe(isGiven ? { timeoutMs } : {});
  out(describeReadiness(uploader.serverUrl, readiness));
  return readiness.ready && !readiness.isPage
    ? ExitCode.ok
    : ExitCode.temporary;
}
