/**
 * The settings: flags before environment before defaults, checked as a whole
 * before anything is done.
 *
 * @module
 */

import {
  basename,
  dirname,
  isAbsolute,
  join,
  relative,
  resolve,
} from "@std/path";
import type { AfterUpload } from "../watch/after_upload.ts";
import { MIN_FREE_BYTES } from "../spool/intake.ts";
import { type Given, UsageError } from "./arguments.ts";
import {
  parseServerUrl,
  type ParseServerUrlOptions,
} from "../upload/server_url.ts";
import { readToken, type TokenSource } from "./token.ts";

/** What the commands work with; only the options that a command takes can differ from the defaults. */
export interface Settings {
  /** `null` if none was given. */
  server: string | null;
  /** Empty for a command that takes none. */
  dataDir: string;
  /** Returns the token as it is now; see {@linkcode readToken}. */
  token: TokenSource;
  allowInsecure: boolean;
  timeoutMs: number;
  concurrency: number;
  watch: string[];
  settleMs: number;
  afterUpload: AfterUpload;
  graceMs: number;
  changed: "send" | "refuse";
  maxSpoolBytes: number;
  minFreeBytes: number;
  copy: boolean;
  verbose: boolean;
}

/**
 * Checks everything that was given, each by itself and all together.
 *
 * @throws {UsageError} that names the option, its value, and what was expected.
 */
export function readSettings(
  given: Given,
  env: (name: string) => string | undefined,
): Settings {
  const dataDir = given.takes("data-dir") ? readDataDir(given, env) : "";
  const afterUpload = readAfterUpload(given);
  const watch = readWatch(given, dataDir, afterUpload);
  const changed = given.text("changed") ?? "send";
  if (changed !== "send" && changed !== "refuse") {
    throw given.wrong("changed", "send or refuse");
  }
  const seconds = { min: 0, max: 86_400 };
  return {
    server: readServer(given),
    dataDir,
    token: readToken(given, env),
    allowInsecure: given.has("allow-insecure"),
    timeoutMs: given.number("timeout", 30, { min: 0.1, max: 86_400 }) * 1000,
    concurrency: given.number("concurrency", 32, {
      min: 1,
      max: 64,
      whole: true,
    }),
    watch,
    settleMs: given.number("settle", 2, seconds) * 1000,
    afterUpload,
    graceMs: given.number("grace", 10, seconds) * 1000,
    changed,
    maxSpoolBytes: given.bytes("max-spool-bytes", Infinity),
    minFreeBytes: given.bytes("min-free-bytes", MIN_FREE_BYTES),
    copy: !given.has("no-copy"),
    verbose: given.has("verbose"),
  };
}

function readServer(given: Given): string | null {
  const text = given.text("server");
  if (text === undefined) return null;
  const allowInsecure = given.has("allow-insecure");
  try {
    return parseServerUrl(text, { allowInsecure });
  } catch (error) {
    const hint = isServerUrl(text, { allowInsecure: true })
      ? "; --allow-insecure allows it"
      : "";
    // The address may hold a password: only its own message knows what to show.
    throw new UsageError(
      `${(error as Error).message} (${given.source("server")}${hint})`,
    );
  }
}

function isServerUrl(text: string, options: ParseServerUrlOptions): boolean {
  try {
    return parseServerUrl(text, options) !== "";
  } catch {
    return false;
  }
}

function readDataDir(
  given: Given,
  env: (name: string) => string | undefined,
): string {
  const named = given.text("data-dir");
  if (named !== undefined) return resolve(named);
  const base = env("XDG_DATA_HOME");
  // The standard says to ignore a relative one.
  if (base && isAbsolute(base)) return join(base, "jarvis");
  const local = Deno.build.os === "windows" ? env("LOCALAPPDATA") : undefined;
  if (local) return join(local, "jarvis");
  const home = env("HOME") ?? env("USERPROFILE");
  if (home) return join(home, ".local", "share", "jarvis");
  throw new UsageError(
    "Cannot tell where to keep the queue, neither HOME nor XDG_DATA_HOME is set: expected --data-dir DIR",
  );
}

function readAfterUpload(given: Given): AfterUpload {
  const text = given.text("after-upload") ?? "keep";
  if (text === "keep" || text === "delete") return { kind: text };
  const dir = /^move:(.+)$/s.exec(text)?.[1];
  if (dir === undefined || kindOf(dir) === "other") {
    throw given.wrong("after-upload", "keep, delete or move:DIR");
  }
  return { kind: "move", dir: resolve(dir) };
}

function readWatch(
  given: Given,
  dataDir: string,
  afterUpload: AfterUpload,
): string[] {
  const folders = given.texts("watch").map((dir) => resolve(dir));
  for (const dir of folders) {
    const wrong = (expected: string) => given.wrong("watch", expected, dir);
    const kind = kindOf(dir);
    if (kind !== "folder") {
      throw wrong(
        kind === "forbidden"
          ? "a folder that is not below /dev, /proc or /sys, where nothing can be read"
          : "a folder that is there",
      );
    }
    if (contains(dir, dataDir) || contains(dataDir, dir)) {
      throw wrong(`a folder apart from the data directory "${dataDir}"`);
    }
    // What was moved would be found again, and for ever.
    if (afterUpload.kind === "move" && contains(dir, afterUpload.dir)) {
      throw given.wrong(
        "after-upload",
        `a folder outside the watched "${dir}"`,
      );
    }
  }
  // One inside another is watched with it, and its files must not count twice.
  return folders.filter((dir, at) =>
    !folders.some((other, i) =>
      i !== at && contains(other, dir) && (i < at || !contains(dir, other))
    )
  );
}

function kindOf(path: string): "folder" | "other" | "nothing" | "forbidden" {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "other";
  } catch (error) {
    const forbidden = error instanceof Deno.errors.NotCapable;
    return forbidden ? "forbidden" : "nothing";
  }
}

function contains(outer: string, inner: string): boolean {
  const path = relative(realPath(outer), realPath(inner));
  return path === "" || (!/^\.\.(?:[\\/]|$)/.test(path) && !isAbsolute(path));
}

/** The path without symbolic links, as far as it is there. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
