/** Downloads what a task needs, in a step of its own before the task itself. */
import { onSignal } from "./process.ts";

/** How long it is waited before each further attempt, in milliseconds. */
const PAUSES_MS = [1_000, 2_000, 4_000];
/** Whoever has not answered by then is not there, in milliseconds. */
const ANSWER_LIMIT_MS = 5_000;
/** An attempt that takes longer has come to a standstill, in milliseconds. */
const ATTEMPT_LIMIT_MS = 600_000;

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
  /** What a person can try besides another network and other certificates. */
  advice?: string;
}

/**
 * Runs a `deno` command that downloads `what`, again where that fails. What is
 * there already is not downloaded, and nothing is said.
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
    const { success, url, said } = await run(args, announce, options);
    if (success) return;
    if (url === undefined) {
      throw new DownloadError(said, { isTransient: false });
    }
    throw downloadError(what, reasonOf(said, url), options.advice);
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

/** Says in one line what failed and what to do about it. */
export function downloadError(
  what: string,
  { url, reason }: { url: string; reason: string },
  advice?: string,
): DownloadError {
  const remedies = [
    "another network",
    `DENO_TLS_CA_STORE to trust other certificates (it is "${
      Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla"
    }")`,
    ...advice ? [advice] : [],
  ];
  const last = remedies.pop();
  return new DownloadError(
    `Cannot download ${what} from "${url}": ${reason}; tried ${
      PAUSES_MS.length + 1
    } times. Try ${remedies.join(", ")} or ${last}`,
  );
}

/** How a command ended. */
interface Ended {
  success: boolean;
  /** What it began to download first, if anything. */
  url: string | undefined;
  /** Why it failed, in Deno's words, without colours and backtrace. */
  said: string;
}

async function run(
  args: readonly string[],
  onDownload: () => void,
  { deno = Deno.execPath(), cwd }: DownloadOptions,
): Promise<Ended> {
  const giveUp = new AbortController();
  const over = new AbortController();
  using _signals = onSignal((signal) => {
    giveUp.abort();
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
    signal: AbortSignal.any([giveUp.signal, limit]),
  }).spawn();
  let said = "";
  let url: string | undefined;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (url !== undefined) continue;
    url = /^Download (\S+)\n/m.exec(said)?.[1];
    if (url === undefined) continue;
    onDownload();
    answers(url, over.signal).then((isThere) => isThere || giveUp.abort());
  }
  const { success } = await child.status;
  over.abort();
  if (giveUp.signal.aborted || limit.aborted) {
    const seconds = (limit.aborted ? ATTEMPT_LIMIT_MS : ANSWER_LIMIT_MS) / 1000;
    said = `error: no answer within ${seconds} s`;
  }
  const error = /^error: .*/ms.exec(said)?.[0] ?? said;
  return { success, url, said: error.replace(/\n+Stack backtrace:.*/s, "") };
}

/** Whether there is any sign of life from an address. Deno itself would wait for minutes. */
async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const response = await fetch(url, {
      method: "HEAD",
      signal: AbortSignal.any([signal, limit]),
    });
    await response.body?.cancel();
    return true;
  } catch (error) {
    // Of any other failure Deno tells more.
    return !(error instanceof DOMException && error.name === "TimeoutError");
  }
}

/** Finds in Deno's words which address failed, and why. */
function reasonOf(said: string, url: string): { url: string; reason: string } {
  const [, failed, why] =
    /error sending request for url \((\S+)\): (.+)/.exec(said) ?? [];
  const [, first = said] = /^error: (.+)/m.exec(said) ?? [];
  return {
    url: failed ?? url,
    reason: (why ?? first).replace(/^client error \(Connect\): /, ""),
  };
}
