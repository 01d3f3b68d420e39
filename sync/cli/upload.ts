import { statCapture } from "../spool.ts";
import type { UploadResult } from "../uploader.ts";
import { createUploader } from "./agent_parts.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { readMetadata } from "./metadata_options.ts";
import { nudgeAgent, openStore } from "./store.ts";

/** Sends files at once. What cannot be delivered now goes into the queue under the same key. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, args, out, err, signal } = context;
  const metadata = readMetadata(given);
  await using uploader = createUploader(settings, { maxRetries: 3 });
  using store = openStore(settings);
  const codes = new Set<number>();
  for (const filepath of args) {
    const id = crypto.randomUUID();
    try {
      statCapture(filepath);
      const result = await uploader.upload(filepath, metadata, {
        idempotencyKey: id,
        signal,
      }).catch(interrupted);
      const queued = result.outcome === "retry" || result.outcome === "pause";
      if (queued) {
        await store.intake.add(filepath, metadata, { id });
        nudgeAgent(store.queue);
      }
      out(
        given.has("json")
          ? JSON.stringify({ id, filepath, queued, ...resultForJson(result) })
          : describe(filepath, id, result, queued),
      );
      codes.add(
        result.success
          ? ExitCode.ok
          : queued
          ? ExitCode.temporary
          : ExitCode.failure,
      );
    } catch (error) {
      err(`jarvis-agent: ${error instanceof Error ? error.message : error}`);
      codes.add(ExitCode.failure);
    }
  }
  return [ExitCode.failure, ExitCode.temporary].find((code) =>
    codes.has(code)
  ) ??
    ExitCode.ok;

  /** Told to stop: what was under way is kept. */
  function interrupted(error: unknown): UploadResult {
    if (!signal.aborted) throw error;
    return {
      success: false,
      captureId: null,
      error: "interrupted",
      attempts: 1,
      outcome: "pause",
      retryAfterMs: null,
      warning: null,
      sent: null,
    };
  }
}

function resultForJson({ success, captureId, error, attempts }: UploadResult) {
  return { success, captureId, error, attempts };
}

function describe(
  filepath: string,
  id: string,
  result: UploadResult,
  queued: boolean,
): string {
  if (result.success) {
    return `${filepath}: delivered as ${result.captureId ?? "(no id given)"}`;
  }
  return queued
    ? `${filepath}: queued as ${id}, not delivered yet: ${result.error}`
    : `${filepath}: refused: ${result.error}`;
}
