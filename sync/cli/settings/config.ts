/**
 * The settings: flags before environment before defaults, checked as a whole
 * before anything is done.
 *
 * @module
 */

import { isAbsolute, join } from "@std/path";
import { messageOf } from "../../host/message_of.ts";
import type { AfterUpload } from "../../watch/after_upload.ts";
import {
  CaptureFilter,
  type FilterOptions,
} from "../../watch/capture_filter.ts";
import type { LogLevel } from "../../host/log.ts";
import type { AddOptions } from "../../spool/intake.ts";
import { type Ambient, type OptionValues, UsageError } from "../arguments.ts";
import { expectedPath } from "./path_value.ts";
import { parseServerUrl } from "../../upload/server_url.ts";
import { sharedFilesOf, spoolDir } from "../../host/data_dir_paths.ts";
import { OUT_OF_BOUNDS } from "../../host/deno_words.ts";
import {
  isOutOfBounds,
  readAfterUpload,
  readFilter,
  readWatch,
} from "./folders.ts";
import { tryTo } from "../../host/try_to.ts";
import type { WeekTable } from "../../host/week_table.ts";
import type { Order } from "../../queue/queue.ts";
import type { ProofKind } from "../../upload/outcome.ts";
import type { TlsOptions } from "../../upload/http_client.ts";
import {
  type MonitorSettings,
  readMonitorSettings,
} from "./monitor_settings.ts";
import { assertNotWatched, ownFiles } from "./own_files.ts";
import {
  expectedBandwidth,
  parseBandwidth,
  parseSchedule,
  SCHEDULE_FORM,
} from "./timetable.ts";
import { readTls, type TlsFile, tlsFiles } from "./tls.ts";
import { readToken, type TokenSource } from "./token.ts";

/** The settings of a command; options that it does not take have their defaults. */
export interface Settings {
  /** `null` if none was given. */
  server: string | null;
  /** Empty for a command that takes none. */
  dataDir: string;
  /** Not read yet; see {@linkcode readToken}. */
  token: TokenSource;
  /** `null` if the token comes from elsewhere, or the command takes none. */
  tokenFile: string | null;
  /** The files that `tls` was read from, looked at before. */
  tlsFiles: TlsFile[];
  tls: TlsOptions;
  proof: ProofKind;
  allowInsecure: boolean;
  timeoutMs: number;
  concurrency: number;
  order: Order;
  /** In bytes a second. */
  bandwidth: WeekTable<number>;
  /** When captures are sent; `null` if always. */
  schedule: WeekTable<boolean> | null;
  watch: string[];
  /** `undefined`: as the file system needs it. */
  settleMs: number | undefined;
  filter: FilterOptions;
  /** Files and folders of the agent's own, which are no captures. */
  ownPaths: string[];
  afterUpload: AfterUpload;
  graceMs: number;
  maxSpoolBytes: number;
  minFreeBytes: number;
  /** The treatment of a file that is handed over. */
  mode: NonNullable<AddOptions["mode"]>;
  copyUpToBytes: number;
  keepHistoryMs: number;
  logLevel: LogLevel;
  logFormat: "text" | "json";
  monitor: MonitorSettings;
}

/**
 * Checks all given settings, each by itself and all together.
 *
 * @throws {UsageError} that names the option, its value, and the expected one.
 */
export function readSettings(
  given: OptionValues,
  around: Ambient,
): Settings {
  const dataDir = given.takes("data-dir") ? readDataDir(given, around.env) : "";
  const afterUpload = readAfterUpload(given, dataDir);
  const watch = readWatch(given, dataDir, afterUpload);
  const ownPaths = ownFiles(given, around.env).map(({ path }) => path);
  if (dataDir) {
    ownPaths.push(dataDir, spoolDir(dataDir), ...sharedFilesOf(dataDir));
  }
  if (afterUpload.kind === "move") ownPaths.push(afterUpload.dir);
  const filter = readFilter(given);
  assertNotWatched(given, around.env, {
    watch,
    filter: new CaptureFilter(filter),
  });
  const upToADay = { min: "0s", max: "24h" };
  return {
    server: readServer(given),
    dataDir,
    token: readToken(given, around),
    tokenFile: given.path("token-file") ?? null,
    tlsFiles: tlsFiles(given),
    tls: readTls(given, around.err),
    proof: given.oneOf("proof", ["id", "status"]),
    allowInsecure: given.has("allow-insecure"),
    timeoutMs: given.durationMs("timeout", { min: "100ms", max: "24h" }),
    concurrency: given.number("concurrency", { min: 1, max: 64 }),
    order: given.oneOf("order", ["oldest", "newest"]),
    bandwidth: readBandwidth(given),
    schedule: readSchedule(given),
    watch,
    settleMs: given.durationMs("settle", upToADay),
    filter,
    ownPaths,
    afterUpload,
    graceMs: given.durationMs("grace", upToADay),
    maxSpoolBytes: given.bytes("max-spool-bytes") ?? Infinity,
    minFreeBytes: given.bytes("min-free-bytes"),
    mode: readMode(given),
    keepHistoryMs: given.durationMs("keep-history", {
      min: "0d",
      max: "36500d",
      unit: "d",
    }),
    copyUpToBytes: given.bytes("copy-up-to"),
    logLevel: readLogLevel(given),
    logFormat: given.oneOf("log-format", ["text", "json"]),
    monitor: readMonitorSettings(given, around.env, dataDir),
  };
}

function readBandwidth(given: OptionValues): WeekTable<number> {
  const text = given.value("bandwidth");
  const bandwidth = parseBandwidth(text);
  if (bandwidth) return bandwidth;
  throw given.wrong("bandwidth", expectedBandwidth(text));
}

function readSchedule(given: OptionValues): WeekTable<boolean> | null {
  const text = given.value("schedule");
  if (text === "always") return null;
  const schedule = parseSchedule(text);
  if (schedule) return schedule;
  throw given.wrong("schedule", SCHEDULE_FORM);
}

function readLogLevel(given: OptionValues): LogLevel {
  // A setting for good may be overridden once.
  given.onCommandLine().atMostOne("verbose", "quiet", "log-level");
  if (given.has("verbose")) return "debug";
  return given.oneOf("log-level", ["info", "debug", "warn", "error"]);
}

function readMode(given: OptionValues): Settings["mode"] {
  given.atMostOne("move", "no-copy");
  if (given.has("move")) return "move";
  return given.has("no-copy") ? "reference" : "copy";
}

function readServer(given: OptionValues): string | null {
  const text = given.text("server");
  if (text === undefined) return null;
  const allowInsecure = given.has("allow-insecure");
  try {
    return parseServerUrl(text, { allowInsecure });
  } catch (error) {
    const hint = isServerUrl(text) ? "; --allow-insecure allows it" : "";
    // The address may hold a password: only its own message knows which parts to show.
    throw new UsageError(
      `${messageOf(error)} (${given.source("server")}${hint})`,
    );
  }
}

/** Whether it is the address of a server, be it one that is not safe to use. */
function isServerUrl(text: string): boolean {
  return Boolean(tryTo(() => parseServerUrl(text, { allowInsecure: true })));
}

function readDataDir(
  given: OptionValues,
  env: (name: string) => string | undefined,
): string {
  const named = given.path("data-dir");
  if (named !== undefined) {
    if (!isOutOfBounds(named)) return named;
    throw given.wrong("data-dir", `a directory not ${OUT_OF_BOUNDS}`);
  }
  const base = env("XDG_DATA_HOME");
  // The standard says to ignore a relative one.
  if (base && isAbsolute(base)) {
    return join(usable("XDG_DATA_HOME", base), "jarvis");
  }
  const local = Deno.build.os === "windows" ? env("LOCALAPPDATA") : undefined;
  if (local) return join(local, "jarvis");
  const home = env("HOME") ?? env("USERPROFILE");
  if (home && isAbsolute(home)) {
    return join(usable("HOME", home), ".local", "share", "jarvis");
  }
  throw new UsageError(
    "Cannot tell where to keep the queue, neither HOME nor XDG_DATA_HOME is set to an absolute path: expected --data-dir DIR",
  );
}

function usable(variable: string, path: string): string {
  const expected = expectedPath(path, { typed: false });
  if (expected === undefined) return path;
  throw new UsageError(
    `Cannot use ${variable} "${path}": expected ${expected}`,
  );
}
