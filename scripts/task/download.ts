/** Downloads the dependencies of a task, in a step of its own before the task itself. */
import { onSignal } from "./process.ts";

/** How long it is waited before each further attempt, in milliseconds. */
const PAUSES_MS = [1_000, 2_000, 4_000];
/** Whoever has not answered by then is not there, in milliseconds. */
const ANSWER_LIMIT_MS = 5_000;
const NO_ANSWER = `no answer within ${ANSWER_LIMIT_MS / 1000} s`;
/** An attempt that takes longer has come to a standstill, in milliseconds. */
const ATTEMPT_LIMIT_MS = 600_000;
const NO_END = `not done within ${ATTEMPT_LIMIT_MS / 1000} s`;

/** Something could not be downloaded. */
export class DownloadError extends Error {
  override name = "DownloadError";
  /** Whether another attempt may do better. */
  readonly isTransient: boolean;

  constructor(message: string, { isTransient = true } = {}) {
    super(message);
    this.isTransient = isTransient;
  }
}

/** Options for {@linkcode download}. */
export interface DownloadOptions {
  /** The Deno to run. @default {this one} */
  deno?: string;
  /** The folder to run in. @default {the current one} */
  cwd?: string;
  /** Advice besides trying another network and other certificates. */
  advice?: string;
}

/**
 * Runs a `deno` command that downloads `what`, again where that fails. Files that are
 * there already are not downloaded, and nothing is said.
 *
 * @throws {DownloadError} when it fails each time, or with Deno's own words for
 * a reason that is not the network's.
 */
export async function download(
  what: string,
  args: readonly string[],
  options: DownloadOptions = {},
): Promise<void> {
  let isAnnounced = false;
  const announce = () => {
    if (!isAnnounced) console.error(`Downloading ${what}`);
    isAnnounced = true;
  };
  await withRetries(async () => {
    const failure = await run(args, announce, options);
    if (!failure) return;
    const { url, reason } = failure;
    if (url === undefined) {
      throw new DownloadError(reason, { isTransient: false });
    }
    throw new DownloadError(
      `Cannot download ${what} from "${url}": ${reason}; tried ${
        PAUSES_MS.length + 1
      } times. Try ${remedies(options.advice)}`,
    );
  });
}

/** Calls `attempt` again while it throws a transient `DownloadError`, four times in all. */
export async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await attempt();
    } catch (error) {
      const isTransient = error instanceof DownloadError && error.isTransient;
      if (!isTransient) throw error;
    }
    await new Promise((resume) => setTimeout(resume, pauseMs));
  }
  return await attempt();
}

function remedies(advice?: string): string {
  const store = Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla";
  const list = [
    "another network",
    `DENO_TLS_CA_STORE to trust other certificates (it is "${store}")`,
    ...advice ? [advice] : [],
  ];
  const last = list.pop();
  return `${list.join(", ")} or ${last}`;
}

/** The reason why a command failed. */
interface Failure {
  /** The address that could not be downloaded; `undefined` if that was not the reason. */
  url?: string;
  reason: string;
}

/** Runs a command, which may wait for an answer for a while but not for ever. */
async function run(
  args: readonly string[],
  onDownload: () => void,
  { deno = Deno.execPath(), cwd }: DownloadOptions,
): Promise<Failure | undefined> {
  const over = new AbortController();
  using _signals = onSignal((signal) => {
    over.abort();
    Deno.exit(signal === "SIGINT" ? 130 : 143);
  });
  const limit = AbortSignal.timeout(ATTEMPT_LIMIT_MS);
  const child = new Deno.Command(deno, {
    args: [...args],
    ...(cwd && { cwd }),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.any([over.signal, limit]),
  }).spawn();
  let said = "";
  let url: string | undefined;
  let reaching: Promise<string | undefined> | undefined;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (url !== undefined) continue;
    url = /^Download (\S+)\n/m.exec(said)?.[1];
    if (url === undefined) continue;
    onDownload();
    reaching = reach(url, over.signal).then((trouble) => {
      if (trouble === NO_ANSWER) over.abort();
      return trouble;
    });
  }
  const { success } = await child.status;
  if (success) {
    over.abort();
    return undefined;
  }
  return failureOf(said, url, limit.aborted ? NO_END : await reaching);
}

/**
 * Returns the obstacle that keeps an address from answering, if there is one. Deno
 * itself waits for minutes, and does not always name it.
 */
async function reach(
  url: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const response = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.any([signal, limit]),
    });
    await response.body?.cancel();
    return undefined;
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === "TimeoutError") return NO_ANSWER;
    const text = cause instanceof Error ? cause.message : message;
    return requestFailure(text)?.reason ?? text;
  }
}

/** Finds in Deno's words which address failed, and why. */
function failureOf(
  said: string,
  url: string | undefined,
  trouble: string | undefined,
): Failure {
  const [words] = /^error: .*/ms.exec(said) ?? [said];
  const reason = words.replace(/\n+Stack backtrace:.*/s, "");
  if (url === undefined) return { reason };
  const request = requestFailure(reason);
  if (request) return request;
  if (trouble) return { url, reason: trouble };
  const lines = reason.split("\n")
    .map((line) => line.trim().replace(/^(error: |\d+: |Caused by:)/, ""));
  return {
    url: new URL(url).origin,
    reason: lines.filter(Boolean).join(": "),
  };
}

/** Finds Deno's words on a request that failed. */
function requestFailure(text: string): Failure | undefined {
  const [, url, reason] =
    /error sending request for url \((\S+)\): (?:client error \(Connect\): )?(.+)/
      .exec(text) ?? [];
  return url && reason ? { url, reason } : undefined;
}
