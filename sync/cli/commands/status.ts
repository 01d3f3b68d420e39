import { sleep } from "../../host/sleep.ts";
import { judge } from "../../monitor/judge.ts";
import { type Verdict, verdictOf } from "../../monitor/verdict.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { OPTIONS } from "../settings/options.ts";
import { serviceState } from "../service/state.ts";
import { readReport } from "../read_report.ts";
import { statusLines } from "../status_text.ts";
import { lookInto, noQueue } from "../store.ts";

/** The time between two looks of `--watch`, in milliseconds. */
const LOOK_MS = 1_000;

/** As monitoring programs expect: 1 if a person is needed, 2 if nothing works. */
const CHECK_CODES: Record<Verdict["level"], number> = {
  ok: 0,
  warning: 1,
  failure: 2,
};

/** Shows the queue, the agent and the server as the agent sees it. */
export async function run(context: CommandContext): Promise<number> {
  const { given, out, err } = context;
  given.atMostOne("check", "follow", "json");
  given.needs("max-age", "check");
  given.needs("max-failed", "check");
  if (given.has("check")) return await check(context);
  if (given.has("follow")) return await follow(context);
  const { report, nothing, lines } = await look(context);
  if (given.has("json")) {
    if (nothing) err(`jarvis-agent: ${nothing}`);
    out(JSON.stringify(report));
  } else lines.forEach((line) => out(line));
  return ExitCode.ok;
}

/** @returns `nothing` says that there is no queue, if so. */
async function look({ settings, env, settingsFile }: CommandContext) {
  using look = lookInto(settings);
  const { env: variable } = OPTIONS["token-file"];
  const tokenFile = env(variable) || settingsFile?.variables.get(variable);
  const report = await readReport({
    settings: { ...settings, tokenFile: tokenFile ?? null },
    look,
    service: await serviceState(),
  });
  const nothing = look ? undefined : noQueue(settings);
  return { report, nothing, lines: nothing ? [nothing] : statusLines(report) };
}

/** Prints in one line whether all is well, and returns it as the exit code. */
async function check(context: CommandContext): Promise<number> {
  const { given, out } = context;
  const maxAgeMs = given.durationMs("max-age", {
    min: "1s",
    max: "36500d",
  });
  const maxFailed = given.number("max-failed", { min: 0, max: 1e9 });
  const { report } = await look(context);
  const limits = { maxAgeSeconds: maxAgeMs / 1000, maxFailed };
  const verdict = verdictOf(report, judge(report, limits));
  out(`${verdict.level}: ${verdict.text}`);
  return CHECK_CODES[verdict.level];
}

/** Moves the cursor to the top left of a terminal, and clears everything below. */
const CLEAR = "\x1b[H\x1b[J";

/** Shows it again and again, on a terminal in the same place, as long as somebody reads it. */
async function follow(context: CommandContext): Promise<number> {
  const signal = context.stopSignal({ unread: true });
  const isTerminal = Deno.stdout.isTerminal();
  while (!signal.aborted) {
    const { lines } = await look(context);
    if (isTerminal) Deno.stdout.writeSync(new TextEncoder().encode(CLEAR));
    lines.forEach((line) => context.out(line));
    await sleep(LOOK_MS, signal);
  }
  return ExitCode.ok;
}
