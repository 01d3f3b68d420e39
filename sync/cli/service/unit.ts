/**
 * The systemd user unit that looks after the agent.
 *
 * @module
 */

import { isAbsolute, relative } from "@std/path";
import { sha256Of } from "../../host/sha256.ts";
import { VERSION } from "../../host/version.ts";
import { UsageError } from "../arguments.ts";

/** The unit's name. */
export const UNIT = "jarvis-agent.service";

/** The parts of the unit that differ between hosts. */
export interface UnitOptions {
  /** The path of the executable. */
  program: string;
  /** The path of the environment file. */
  envFile: string;
  /** The data directory, for {@linkcode dataDirIn}; the agent has it from the environment file. */
  dataDir: string;
  /** The folders that the agent may write to. */
  writable: readonly string[];
  /** `--grace`, in milliseconds. */
  graceMs: number;
  concurrency: number;
  /** Settings that this version of systemd does not know are left out. */
  systemdVersion: number;
  /**
   * Whether the manager can give the unit a view of its own on users and file
   * systems. If the kernel lets users have none, such a unit does not start.
   */
  namespaces: boolean;
}

/** A hung loop is killed after this long. Flushing a capture of gigabytes takes minutes. */
const WATCHDOG_S = 180;
/** Time to release the uploads under way, and to close the queue. */
const STOP_S = 20;

/**
 * Returns the text of the unit, sealed: {@linkcode isAsWritten} tells whether
 * somebody has changed it since.
 *
 * @throws {UsageError} if systemd would read a path as something else.
 */
export function unitText(options: UnitOptions): string {
  const { program, envFile, dataDir, writable } = options;
  assertNone(/["'\\]/, [program], "quotes and backslashes");
  assertNone(/[*?[\]{}\\]/, [envFile], "*, ?, brackets and backslashes");
  // deno-lint-ignore no-control-regex -- a line break would begin another setting
  const control = /[\0-\x1f\x7f]/;
  assertNone(
    control,
    [program, envFile, dataDir, ...writable],
    "control characters",
  );
  const body = [
    ...unit(options),
    ...service(options),
    ...limits(options),
    ...hardening(),
    ...(options.namespaces ? namespaces(options) : []),
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
  return `${sealOf(body)}\n${body}`;
}

/** The data directory that a unit was made for; `undefined` where it names none. */
export function dataDirIn(text: string): string | undefined {
  const [, path] = /\nX-DataDirectory="([^\n]*)"\n/.exec(text) ?? [];
  return path?.replace(/\\(["\\])/g, "$1").replaceAll("%%", "%");
}

/** Whether a unit is as {@linkcode unitText} made it, in this version or another. */
export function isAsWritten(text: string): boolean {
  const end = text.indexOf("\n");
  const [, sum] = /\(sum ([0-9a-f]+)\)/.exec(text.slice(0, end)) ?? [];
  return sum === sumOf(text.slice(end + 1));
}

function sealOf(body: string): string {
  return `# Written by jarvis-agent ${VERSION} (sum ${sumOf(body)}); ` +
    `to change it: systemctl --user edit jarvis-agent`;
}

function sumOf(text: string): string {
  return sha256Of(text).slice(0, 16);
}

function unit({ systemdVersion }: UnitOptions): string[] {
  return [
    "[Unit]",
    "Description=Deliver captures to the capture server",
    "# What fails for some minutes does not heal by itself: it stays down, and OnFailure= may tell somebody.",
    "StartLimitIntervalSec=20min",
    `StartLimitBurst=${systemdVersion >= 254 ? 10 : 100}`,
  ];
}

function service(options: UnitOptions): string[] {
  const { program, envFile, dataDir, graceMs, systemdVersion } = options;
  const stopS = Math.ceil(graceMs / 1000) + STOP_S;
  return [
    "",
    "[Service]",
    "Type=notify",
    "NotifyAccess=main",
    `ExecStart=${quote(program)} run`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    `EnvironmentFile=${specifier(envFile)}`,
    `Environment=${quote(`JARVIS_ENV_FILE=${envFile}`)}`,
    "# systemd takes no notice: it tells the next install what was served before.",
    `X-DataDirectory=${quote(dataDir)}`,
    "# The embedded library is written there to be loaded; /tmp may forbid that.",
    "RuntimeDirectory=jarvis-agent",
    "RuntimeDirectoryMode=0700",
    "Environment=TMPDIR=%t/jarvis-agent",
    "# Else each thread keeps memory of its own: 8 MB in all.",
    "Environment=MALLOC_ARENA_MAX=1",
    "Restart=always",
    "# Settings that it cannot use: only a person can mend them.",
    "RestartPreventExitStatus=2",
    ...(systemdVersion >= 254
      ? ["RestartSec=1s", "RestartSteps=8", "RestartMaxDelaySec=5min"]
      : ["RestartSec=5s"]),
    "TimeoutStartSec=2min",
    `WatchdogSec=${WATCHDOG_S}s`,
    "# Longer than uploads under way may take to end.",
    `TimeoutStopSec=${stopS}s`,
    "KillMode=mixed",
  ];
}

/** Several times the agent's use, so that only a defect ever gets there. */
function limits({ concurrency }: UnitOptions): string[] {
  const highMegabytes = 256 + 16 * concurrency;
  return [
    "",
    `MemoryHigh=${highMegabytes}M`,
    `MemoryMax=${highMegabytes * 2}M`,
    "TasksMax=128",
    "LimitNOFILE=4096",
    "# It would hold the token.",
    "LimitCORE=0",
  ];
}

/**
 * Restrictions that every user's manager can enforce. V8 writes code, so no
 * `MemoryDenyWriteExecute`.
 */
function hardening(): string[] {
  return [
    "",
    "NoNewPrivileges=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "KeyringMode=private",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
  ];
}

/**
 * Restrictions that take namespaces. Reading stays allowed everywhere, `/tmp`
 * included: captures may lie where they are until they are delivered.
 */
function namespaces({ writable }: UnitOptions): string[] {
  return [
    "",
    "PrivateUsers=yes",
    "PrivateDevices=yes",
    "PrivateMounts=yes",
    "DevicePolicy=closed",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    `ReadWritePaths=${writable.map((path) => quote(`-${path}`)).join(" ")}`,
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
  ];
}

/**
 * Returns the folders that the agent must be allowed to write: its own, and those
 * that are watched if it is to take files away from them.
 *
 * Each folder that is named is a mount of its own in the unit's view. A watched one
 * that is made anew, or mounted later, could not be written to, and a large file
 * would be copied to where it is moved. So the home is named instead of those that
 * lie in it.
 */
export function writableFolders(
  { home, own, emptied }: {
    home: string;
    /** Folders in which the agent writes files of its own. */
    own: readonly string[];
    /** Folders from or to which captures are moved. */
    emptied: readonly string[];
  },
): string[] {
  const isInHome = (path: string) => {
    const way = relative(home, path);
    return !way.startsWith("..") && !isAbsolute(way);
  };
  const named = emptied.map((path) => isInHome(path) ? home : path);
  const isCovered = (path: string) => named.includes(home) && isInHome(path);
  return [
    ...new Set([...own.filter((path) => !isCovered(path)), ...named]),
  ];
}

function assertNone(odd: RegExp, paths: string[], what: string): void {
  const path = paths.find((path) => odd.test(path));
  if (path === undefined) return;
  throw new UsageError(
    `Cannot name ${
      JSON.stringify(path)
    } in a unit of systemd: expected a path without ${what}`,
  );
}

/** Takes the meaning from everything that systemd would replace. */
function specifier(text: string): string {
  return text.replaceAll("%", "%%");
}

function quote(text: string): string {
  return `"${specifier(text).replace(/["\\]/g, "\\$&")}"`;
}
