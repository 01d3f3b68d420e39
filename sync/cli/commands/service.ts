import { dirname, isAbsolute, join } from "@std/path";
import { createPrivateDir, prepareDataDir } from "../../host/data_dir.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { updateEnvFile } from "../service/env_file.ts";
import { mergedSettings, type ServiceSettings } from "../service/settings.ts";
import {
  assertManager,
  isLingering,
  mustSystemctl,
  properties,
  show,
  systemctl,
  systemdVersion,
} from "../service/systemd.ts";
import {
  isAsWritten,
  UNIT,
  unitText,
  writableFolders,
} from "../service/unit.ts";

/** What systemd says when it cannot give a unit its view on users, rights or files. */
const NO_NAMESPACES = ["217", "218", "226"];

const ACTIONS: Record<
  string,
  (context: CommandContext) => Promise<number>
> = { install, uninstall, status, print, restart, logs };

/** Looks after the systemd user unit that is the agent. */
export async function run(context: CommandContext): Promise<number> {
  const [name = ""] = context.args;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (!action) {
    throw new UsageError(
      `Unknown action "${name}": expected one of ${
        Object.keys(ACTIONS).join(", ")
      }`,
    );
  }
  return await action(context);
}

/** Where things are. */
function paths() {
  const home = Deno.env.get("HOME");
  if (!home) {
    throw new UsageError("Cannot tell where the unit belongs: expected HOME");
  }
  const base = Deno.env.get("XDG_CONFIG_HOME");
  const config = base && isAbsolute(base) ? base : join(home, ".config");
  return {
    home,
    unit: join(config, "systemd", "user", UNIT),
    envFile: join(config, "jarvis", "agent.env"),
  };
}

async function install(context: CommandContext): Promise<number> {
  const { out } = context;
  await assertManager();
  const { unit, envFile } = paths();
  const settings = mergedSettings(context, readIfThere(envFile));
  const text = await textOf(settings, { namespaces: true });
  prepareDataDir(settings.settings.dataDir);
  writeEnvFile(envFile, settings.changes, out);
  await writeUnit(unit, text, out);
  await mustSystemctl("enable", "--quiet", UNIT);
  let started = await start();
  if (!started && await lacksNamespaces()) {
    await writeUnit(unit, await textOf(settings, { namespaces: false }), out);
    out(
      "This system lets users have no namespaces: the service can write wherever you can",
    );
    started = await start();
  }
  await report(started, context);
  return started ? ExitCode.ok : ExitCode.failure;
}

async function print(context: CommandContext): Promise<number> {
  const settings = mergedSettings(context, readIfThere(paths().envFile));
  const text = await textOf(settings, { namespaces: true });
  for (const line of text.trimEnd().split("\n")) context.out(line);
  return ExitCode.ok;
}

async function restart(context: CommandContext): Promise<number> {
  await assertManager();
  const started = await start();
  await report(started, context);
  return started ? ExitCode.ok : ExitCode.failure;
}

async function status(context: CommandContext): Promise<number> {
  await assertManager();
  const code = await show("systemctl", "status", UNIT);
  if (code === 0) await warnOfLogout(context);
  return code;
}

async function logs(): Promise<number> {
  return await show("journalctl", `--unit=${UNIT}`, "--lines=200");
}

async function uninstall({ out }: CommandContext): Promise<number> {
  await assertManager();
  const { unit, envFile } = paths();
  if (readIfThere(unit) === "") {
    out("There is no service to uninstall");
    return ExitCode.ok;
  }
  await mustSystemctl("disable", "--now", "--quiet", UNIT);
  for (const path of [unit, envFile]) {
    if (removeIfThere(path)) out(`Removed "${path}"`);
  }
  removeIfThere(dirname(envFile));
  await mustSystemctl("daemon-reload");
  // A unit that failed is remembered otherwise.
  await systemctl("reset-failed", UNIT);
  if (isFolder(`${unit}.d`)) out(`Your changes in "${unit}.d" stay`);
  out("The queue stays");
  return ExitCode.ok;
}

async function textOf(
  { settings }: ServiceSettings,
  { namespaces }: { namespaces: boolean },
): Promise<string> {
  const { home, envFile } = paths();
  const { dataDir, watch, afterUpload, graceMs, concurrency } = settings;
  if (afterUpload.kind === "move") createPrivateDir(afterUpload.dir);
  const emptied = afterUpload.kind === "keep"
    ? []
    : [...watch, ...(afterUpload.kind === "move" ? [afterUpload.dir] : [])];
  return await unitText({
    program: program(),
    envFile,
    writable: writableFolders({ home, dataDir, emptied }),
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
  if (/["'\\]/.test(path)) {
    throw new Error(
      `Cannot make a service of "${path}": expected a path without quotes and backslashes, which systemd refuses`,
    );
  }
  return path;
}

function writeEnvFile(
  path: string,
  changes: ReadonlyMap<string, string>,
  out: (line: string) => void,
): void {
  const before = readIfThere(path);
  const after = updateEnvFile(before || HEADER, changes);
  if (after === before) return out(`"${path}" is up to date`);
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replace(path, after, 0o600);
  out(`Wrote "${path}"`);
}

const HEADER =
  `# What jarvis-agent runs with; "jarvis-agent run --help" lists the variables.
# After a change: systemctl --user reload jarvis-agent
# After a change of folders: jarvis-agent service install
`;

async function writeUnit(
  path: string,
  text: string,
  out: (line: string) => void,
): Promise<void> {
  const before = readIfThere(path);
  if (before !== "" && before !== text && !await isAsWritten(before)) {
    const kept = `${path}.${Date.now()}.old`;
    Deno.renameSync(path, kept);
    out(`"${path}" was edited; your version is kept as "${kept}"`);
  }
  if (before !== text) {
    Deno.mkdirSync(dirname(path), { recursive: true });
    replace(path, text, 0o644);
    out(`Wrote "${path}"`);
  } else {
    out(`"${path}" is up to date`);
  }
  await mustSystemctl("daemon-reload");
}

/** (Re)starts the unit; returns whether it got ready, which systemd waits for. */
async function start(): Promise<boolean> {
  return (await systemctl("restart", UNIT)).code === 0;
}

async function lacksNamespaces(): Promise<boolean> {
  const { ExecMainStatus = "" } = await properties(UNIT, "ExecMainStatus");
  return NO_NAMESPACES.includes(ExecMainStatus);
}

async function report(
  started: boolean,
  context: CommandContext,
): Promise<void> {
  const { StatusText, Result, ExecMainStatus } = await properties(
    UNIT,
    "StatusText",
    "Result",
    "ExecMainStatus",
  );
  if (started) {
    context.out(`The service runs: ${StatusText}`);
    return await warnOfLogout(context);
  }
  const reason = StatusText || `${Result}, exit status ${ExecMainStatus}`;
  context.err(
    `jarvis-agent: Cannot start the service: ${reason}; ` +
      `"jarvis-agent service logs" tells more, and it is tried again`,
  );
}

async function warnOfLogout({ err }: CommandContext): Promise<void> {
  const lingering = await isLingering();
  if (lingering) return;
  const certain = lingering === false
    ? "The service ends when you log out."
    : "The service may end when you log out.";
  err(`${certain} To keep it running: loginctl enable-linger`);
}

/** Replaces a file as a whole, or not at all. */
function replace(path: string, text: string, mode: number): void {
  const temporary = `${path}.tmp`;
  removeIfThere(temporary);
  Deno.writeTextFileSync(temporary, text, { mode, createNew: true });
  Deno.renameSync(temporary, path);
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Removes a file, or a folder that is empty; returns whether there was one. */
function removeIfThere(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || isFolder(path)) return false;
    throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
