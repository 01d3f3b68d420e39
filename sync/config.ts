/**
 * The settings: flags before environment before defaults, checked as a whole
 * before anything is done.
 *
 * @module
 */

import { isAbsolute, join, relative, resolve } from "@std/path";
import type { AfterUpload } from "./after_upload.ts";
import { MIN_FREE_BYTES } from "./intake.ts";
import { type Given, UsageError } from "./options.ts";
import { parseServerUrl } from "./server_url.ts";
import { readToken, type TokenSource } from "./token.ts";

/** What the commands work with; only the options that a command takes can differ from the defaults. */
export interface Settings {
  /** `null` if none was given. */
  server: string | null;
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
  const dataDir = readDataDir(given, env);
  const watch = given.texts("watch").map((dir) => resolve(dir));
  const afterUpload = readAfterUpload(given);
  const allowInsecure = given.has("allow-insecure");
  for (const dir of watch) {
    if (!isFolder(dir)) {
      throw given.wrong("watch", `a folder ("${dir}" is none)`);
    }
    if (contains(dir, dataDir) || contains(dataDir, dir)) {
      throw given.wrong(
        "watch",
        `a folder apart from the data directory "${dataDir}"`,
      );
    }
    if (afterUpload.kind === "move" && contains(dir, afterUpload.dir)) {
      throw given.wrong(
        "after-upload",
        `a folder outside the watched "${dir}"`,
      );
    }
  }
  const changed = given.text("changed") ?? "send";
  if (changed !== "send" && changed !== "refuse") {
    throw given.wrong("changed", "send or refuse");
  }
  const seconds = { min: 0, max: 86_400 };
  return {
    server: readServer(given, allowInsecure),
    dataDir,
    token: readToken(given, env),
    allowInsecure,
    timeoutMs: given.number("timeout", 30, { min: 0.1, max: 86_400 }) * 1000,
    concurrency: given.number("concurrency", 4, {
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

function readServer(given: Given, allowInsecure: boolean): string | null {
  const text = given.text("server");
  if (text === undefined) return null;
  try {
    return parseServerUrl(text, { allowInsecure });
  } catch (error) {
    const hint = (error as Error).message.includes("plain http")
      ? " (--allow-insecure)"
      : "";
    throw new UsageError((error as Error).message + hint);
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
  if (dir === undefined) {
    throw given.wrong("after-upload", "keep, delete or move:DIR");
  }
  return { kind: "move", dir: resolve(dir) };
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === "" || (!path.startsWith("..") && !isAbsolute(path));
}
