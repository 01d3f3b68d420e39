/** The actions of `jarvis-agent service`: the agent as a systemd user unit. */

import { dirname } from "@std/path";
import { prepareDataDir } from "../../host/data_dir.ts";
import { createPrivateDir } from "../../host/private_files.ts";
import { isFolder, removeIfThere } from "../../host/files.ts";
import { tryTo } from "../../host/try_to.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import type { Settings } from "../settings/config.ts";
import { inspectServer } from "../doctor/server.ts";
import { WAITING } from "../daemon/start_obstacle.ts";
import {
  readEnvFile,
  readIfThere,
  servicePaths,
  writeEnvFile,
  writeUnit,
} from "./files.ts";
import { mergedSettings, type ServiceSettings } from "./settings.ts";
import {
  assertManager,
  isLingering,
  mustSystemctl,
  type ProgramOutput,
  properties,
  show,
  systemctl,
  systemdVersion,
} from "./systemd.ts";
import { UNIT, unitText, writableFolders } from "./unit.ts";
import { REASON_PROPERTIES, reasonOf } from "./unit_state.ts";
import { leftBehind, queueStays, servedDataDirs } from "./waiting.ts";

/** The exit codes of a systemd that cannot give a unit its view on users, rights or files. */
const NO_NAMESPACES = ["217", "218", "226"];

/** Writes the unit and its settings, starts it, waits until it is ready. */
export async function install(context: CommandContext): Promise<number> {
  const { out } = context;
  await assertManager();
  const { unit, envFile } = servicePaths();
  const settings = await mergedSettings(context, readEnvFile(envFile));
  const text = await textOf(settings, { namespaces: true });
  const served = servedDataDirs();
  prepareDataDir(settings.settings.dataDir).forEach((closed) => out(closed));
  writeEnvFile(envFile, settings.changes, out);
  writeUnit(unit, text, out);
  await mustSystemctl("daemon-reload");
  await mustSystemctl("enable", "--quiet", UNIT);
  let started = await start();
  if (started.code !== 0 && await lacksNamespaces()) {
    writeUnit(unit, await textOf(settings, { namespaces: false }), out);
    await mustSystemctl("daemon-reload");
    out(
      "This system lets users have no namespaces: the service can write wherever you can",
    );
    started = await start();
  }
  const code = await report(started, context);
  tellLeftBehind(served, settings.settings, context);
  return code === ExitCode.ok ? await tryServer(settings, context) : code;
}

/** Tells the obstacles that keep the service that was just installed from delivering. */
async function tryServer(
  { settings }: ServiceSettings,
  { err }: CommandContext,
): Promise<number> {
  const found = await inspectServer({ settings });
  const wrong = found.filter(({ level }) => level === "failure");
  // A credential of the service may hold the token that is not known here.
  const mayBeCredential = (what: string) =>
    what === "token" && settings.token.get() === undefined;
  for (const { what, text, remedy } of wrong) {
    const unless = mayBeCredential(what)
      ? " (unless a credential holds it)"
      : "";
    err(
      `jarvis-agent: The service is installed, but ${text}: ${remedy}${unless}`,
    );
  }
  const isWrong = wrong.some(({ what }) => !mayBeCredential(what));
  return isWrong ? ExitCode.temporary : ExitCode.ok;
}

/** Shows the unit that `install` would write. */
export async function print(context: CommandContext): Promise<number> {
  const settings = await mergedSettings(
    context,
    readEnvFile(servicePaths().envFile),
  );
  const text = await textOf(settings, { namespaces: true });
  for (const line of text.trimEnd().split("\n")) context.out(line);
  return ExitCode.ok;
}

/** Restarts the service, and waits until it is ready. */
export async function restart(context: CommandContext): Promise<number> {
  await assertManager();
  const { LoadState } = await properties(UNIT, "LoadState");
  if (LoadState === "not-found") {
    throw new Error(
      'Cannot restart the service: it is not installed; "jarvis-agent service install" installs it',
    );
  }
  const code = await report(await start(), context);
  const served = servedDataDirs();
  const [dataDir = context.settings.dataDir] = served;
  tellLeftBehind(served, { ...context.settings, dataDir }, context);
  return code;
}

/** Shows how the service is doing. */
export async function status(context: CommandContext): Promise<number> {
  await assertManager();
  const code = await show("systemctl", "status", UNIT);
  if (code === 0) await warnOfLogout(context);
  return code;
}

/** Shows the service's last log lines. */
export async function logs(): Promise<number> {
  return await show("journalctl", `--unit=${UNIT}`, "--lines=200");
}

/** Stops the service and removes its files; the queue stays. */
export async function uninstall(
  { out, settings }: CommandContext,
): Promise<number> {
  await assertManager();
  const { unit, envFile } = servicePaths();
  if (readIfThere(unit) === "") {
    out("There is no service to uninstall");
    return ExitCode.ok;
  }
  const [dataDir = settings.dataDir] = servedDataDirs();
  await mustSystemctl("disable", "--now", "--quiet", UNIT);
  for (const path of [unit, envFile]) {
    if (removeIfThere(path)) out(`Removed "${path}"`);
  }
  // Something else may be in it.
  tryTo(() => Deno.removeSync(dirname(envFile)));
  await mustSystemctl("daemon-reload");
  // A unit that failed is remembered otherwise.
  await systemctl("reset-failed", UNIT);
  if (isFolder(`${unit}.d`)) out(`Your changes in "${unit}.d" stay`);
  out(queueStays({ ...settings, dataDir }));
  return ExitCode.ok;
}

/** Whoever names another data directory may not know that captures wait in the one before. */
function tellLeftBehind(
  served: string[],
  settings: Settings,
  { err }: CommandContext,
): void {
  for (const line of leftBehind(served, settings)) err(`jarvis-agent: ${line}`);
}

async function textOf(
  { settings }: ServiceSettings,
  { namespaces }: { namespaces: boolean },
): Promise<string> {
  const { home, envFile } = servicePaths();
  const { dataDir, watch, afterUpload, graceMs, concurrency } = settings;
  if (afterUpload.kind === "move") createPrivateDir(afterUpload.dir);
  const emptied = afterUpload.kind === "keep"
    ? []
    : [...watch, ...(afterUpload.kind === "move" ? [afterUpload.dir] : [])];
  const { metricsFile } = settings.monitor;
  const own = metricsFile === null
    ? [dataDir]
    : [dataDir, dirname(metricsFile)];
  return unitText({
    program: program(),
    envFile,
    dataDir,
    writable: writableFolders({ home, own, emptied }),
    graceMs,
    concurrency,
    systemdVersion: await systemdVersion(),
    namespaces,
  });
}

function program(): string {
  const path = Deno.execPath();
  if (!Deno.build.standalone) {
    throw new Error(
      "Cannot make a service of the program's sources: expected the executable",
    );
  }
  return path;
}

/** (Re)starts the unit; fails unless it gets ready, which systemd waits for. */
async function start(): Promise<ProgramOutput> {
  // Whoever asks for it wants it started, however often it was before.
  await systemctl("reset-failed", UNIT);
  return await systemctl("restart", UNIT);
}

async function lacksNamespaces(): Promise<boolean> {
  const { ExecMainStatus = "" } = await properties(UNIT, "ExecMainStatus");
  return NO_NAMESPACES.includes(ExecMainStatus);
}

async function report(
  { code, stderr }: ProgramOutput,
  context: CommandContext,
): Promise<number> {
  const found = await properties(UNIT, ...REASON_PROPERTIES);
  const { ActiveState, StatusText = "" } = found;
  const started = code === 0;
  if (started && StatusText.startsWith(WAITING)) {
    context.err(`jarvis-agent: The service cannot begin yet. ${StatusText}`);
    return ExitCode.temporary;
  }
  if (started) {
    context.out(`The service runs: ${StatusText}`);
    await warnOfLogout(context);
    return ExitCode.ok;
  }
  // That it is tried again is said below.
  const reason = reasonOf({ ...found, SubState: "" }, servicePaths().envFile) ??
    stderr.trim().split("\n")[0]!.replace(/\.$/, "");
  const next = ActiveState === "failed"
    ? ', and mend that, then "jarvis-agent service restart"'
    : ActiveState === "activating"
    ? ", and it is tried again"
    : "";
  context.err(
    `jarvis-agent: Cannot start the service: ${reason}; ` +
      `"jarvis-agent service logs" tells more${next}`,
  );
  return ExitCode.failure;
}

async function warnOfLogout({ err }: CommandContext): Promise<void> {
  const lingering = await isLingering();
  if (lingering) return;
  const certain = lingering === false
    ? "The service ends when you log out."
    : "The service may end when you log out.";
  err(`${certain} To keep it running: loginctl enable-linger`);
}
