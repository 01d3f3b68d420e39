/** The native SQLite that is put into an executable: the release that belongs to `@db/sqlite`. */

import { projectPath } from "../task/bindings.ts";
import { DownloadError, withRetries } from "../task/download.ts";
import { sha256Of } from "../../sync/host/sha256.ts";

/** Release, then file name, then SHA-256 in hexadecimal. */
type Pins = Record<string, Record<string, string>>;

/** Options for {@linkcode downloadLibrary}. */
export interface DownloadOptions {
  /** The version of `@db/sqlite`. @default {the one in deno.json} */
  version?: string;
  /** The address of its releases. @default {those of `@db/sqlite`} */
  releases?: string;
  /** The file that holds the known sums. @default {scripts/build/sqlite_libs.json} */
  pins?: string;
}

/**
 * Downloads a library and returns its bytes, which are those that were pinned.
 * A library that was never pinned is from now on, and standard error says so.
 *
 * @throws {Error} if it cannot be downloaded, or is not the one that was pinned.
 */
export async function downloadLibrary(
  name: string,
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const {
    version = libraryVersion(),
    releases = "https://github.com/denodrivers/sqlite3/releases/download",
    pins: pinFile = projectPath("scripts/build/sqlite_libs.json"),
  } = options;
  const url = `${releases}/${version}/${name}`;
  const bytes = await withRetries(() => download(url));
  const sum = sha256Of(bytes);
  const pins: Pins = JSON.parse(Deno.readTextFileSync(pinFile));
  const pinned = pins[version]?.[name];
  if (pinned === undefined) {
    pins[version] = { ...pins[version], [name]: sum };
    Deno.writeTextFileSync(pinFile, JSON.stringify(pins, null, 2) + "\n");
    console.error(
      `Pinned ${name} ${version} as it is now, SHA-256 ${sum}: commit "${pinFile}"`,
    );
  } else if (pinned !== sum) {
    throw new Error(
      `Cannot use "${url}": its SHA-256 is ${sum}, expected the pinned ${pinned}`,
    );
  }
  return bytes;
}

/** The version of `@db/sqlite` that the project is made with. */
function libraryVersion(): string {
  const { imports } = JSON.parse(
    Deno.readTextFileSync(projectPath("deno.json")),
  );
  return imports["@db/sqlite"].split("@").at(-1);
}

async function download(url: string): Promise<Uint8Array<ArrayBuffer>> {
  let reason: string;
  let isTransient = true;
  try {
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    await response.body?.cancel();
    reason = `the answer was ${response.status}`;
    isTransient = response.status >= 500;
  } catch (error) {
    const { message, cause } = error as Error;
    reason = cause instanceof Error ? cause.message : message;
  }
  throw new DownloadError(
    `Cannot download "${url}": ${reason}; expected it there, or the library's file with --sqlite-lib FILE`,
    { isTransient },
  );
}
