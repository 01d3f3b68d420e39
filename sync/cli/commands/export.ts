import { basename, dirname, join, resolve } from "@std/path";
import {
  exists,
  isOutOfRoom,
  isTooLarge,
  removeIfThere,
  syncDir,
  writeAll,
} from "../../host/files.ts";
import { createPrivateDir, openNew } from "../../host/private_files.ts";
import type { OpenedFile } from "../../host/opened_file.ts";
import { tryTo } from "../../host/try_to.ts";
import type { QueuedCapture, UploadQueue } from "../../queue/queue.ts";
import {
  copyPrivately,
  opened,
  openSource,
  versionOf,
} from "../../spool/private_copy.ts";
import { assertHandedOver } from "../../upload/capture_file.ts";
import { markedName } from "../../watch/move_target.ts";
import type { Openers } from "../../watch/openers.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { contains, isInDataDir } from "../settings/folders.ts";
import { queuedByName } from "../named_captures.ts";
import { expectedPath } from "../settings/path_value.ts";
import { lastWatched, originalsOf } from "../daemon/originals.ts";
import { lookInto, noQueue, type StoreView } from "../store.ts";

/**
 * Copies captures out of the queue, which stays as it is: NAME has the bytes and
 * NAME.json the metadata. No file is replaced. The metadata come last: a capture that
 * has them is whole, and on the disk.
 */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, args, out, err } = context;
  const ids = args.slice(0, -1);
  const dir = args.at(-1)!;
  if (given.has("failed") === ids.length > 0) {
    throw new UsageError(
      "Cannot tell what to export: expected captures and DIR, or --failed DIR",
    );
  }
  using look = lookInto(settings);
  if (!look) throw new Error(noQueue(settings));
  assertTarget(dir, look.queue, settings.dataDir);
  const named = queuedByName(look.queue, ids, { verb: "export", err });
  const captures = given.has("failed")
    ? look.queue.captures({ status: "failed" })
    : named.captures;
  let code: number = named.isComplete ? ExitCode.ok : ExitCode.failure;
  const openers = originalsOf(look.queue);
  let target: Target | undefined;
  for (const capture of captures) {
    target ??= new Target(dir);
    try {
      out(await exportOne(capture, { look, ...openers, target }));
    } catch (error) {
      const reason = reasonOf(error as Error, dir);
      err(`jarvis-agent: Cannot export "${capture.id}": ${reason}`);
      code = ExitCode.failure;
    }
  }
  if (!target && given.has("failed")) {
    err("jarvis-agent: There is no failed capture to export");
  }
  target?.removeIfEmpty();
  return code;
}

/** @throws {UsageError} if copies there would come into the queue, or are among those to be copied. */
function assertTarget(dir: string, queue: UploadQueue, dataDir: string): void {
  const wrong = (reason: string) =>
    new UsageError(`Cannot export into "${dir}": ${reason}`);
  const expected = expectedPath(dir, { typed: true });
  if (expected !== undefined) throw wrong(`expected ${expected}`);
  if (!exists(dir) && queue.get(dir)) {
    throw wrong("it is a capture's id, expected a folder after the captures");
  }
  if (isInDataDir(dir, dataDir)) {
    throw wrong("it is in the data directory, expected another folder");
  }
  if (lastWatched(queue).some((path) => contains(path, dir))) {
    throw wrong(
      "it is in a watched folder, and all would be sent again: expected another folder",
    );
  }
}

/** Returns where the bytes are then: those of the copy, or of a watched file whose copy is gone or damaged. */
async function exportOne(
  capture: QueuedCapture,
  { look: { spool }, openOriginal, openWatched, target }: {
    look: StoreView;
    target: Target;
  } & Openers,
): Promise<string> {
  const { id, filepath, spooled, watched, sha256 } = capture;
  if (!spooled || !spool) {
    using file = opened(filepath, () => openOriginal(capture));
    return await copyOut(file, capture, target);
  }
  try {
    using file = openSource(spool.pathOf(id));
    return await copyOut(file, capture, target);
  } catch (error) {
    if (!watched || !sha256) throw error;
    try {
      using file = opened(filepath, () => openWatched(capture));
      return await copyOut(file, capture, target);
    } catch {
      throw error;
    }
  }
}

/** @throws {CaptureFileError} if the file is not the version that was handed over. */
async function copyOut(
  file: OpenedFile,
  capture: QueuedCapture,
  target: Target,
): Promise<string> {
  const { id, filepath, metadataJson } = capture;
  const known = versionOf(capture);
  assertHandedOver(file, known, { verb: "copy" });
  const path = target.freePath(basename(filepath) || id);
  await orNothing(path, async () => {
    const actual = await copyPrivately(file, path);
    assertHandedOver(file, known, { actual, verb: "copy" });
  });
  try {
    await orNothing(`${path}.json`, (path) => writeNew(path, metadataJson));
  } catch (error) {
    removeIfThere(path);
    throw error;
  }
  syncDir(target.dir);
  return path;
}

/** Makes a file; after an error nothing of it is left. */
async function orNothing(
  path: string,
  make: (path: string) => void | Promise<void>,
): Promise<void> {
  try {
    await make(path);
  } catch (error) {
    // If something has its name, that is another's.
    if (!(error instanceof Deno.errors.AlreadyExists)) removeIfThere(path);
    throw error;
  }
}

function writeNew(path: string, text: string): void {
  using file = openNew(path);
  writeAll(file, new TextEncoder().encode(text + "\n"));
  file.syncSync();
}

/** Why something could not be written there, and what to do where that is known. */
function reasonOf(error: Error, dir: string): string {
  if (!isOutOfRoom(error)) return error.message;
  const reason = isTooLarge(error)
    ? "a file as large as it may not be written there (EFBIG): "
    : `the disk of "${dir}" is full: make room on it, or `;
  return `${reason}export into another folder`;
}

/** The folder that captures are copied into. */
class Target {
  readonly dir: string;
  /** The folders that were made for it, the innermost first. */
  readonly #made: string[] = [];
  /** From which number on a name may be free, for those that are taken. */
  readonly #next = new Map<string, number>();

  /** @throws {Error} if there can be no such folder. */
  constructor(dir: string) {
    this.dir = dir;
    try {
      let path = resolve(dir);
      // A drive of Windows may be missing.
      for (; !exists(path) && dirname(path) !== path; path = dirname(path)) {
        this.#made.push(path);
      }
      createPrivateDir(dir);
    } catch (cause) {
      this.removeIfEmpty();
      const reason = reasonOf(cause as Error, dir);
      const expected = isOutOfRoom(cause)
        ? ""
        : "; expected a folder, or a place where one can be made";
      throw new Error(`Cannot export into "${dir}": ${reason}${expected}`, {
        cause,
      });
    }
  }

  /** A path that neither the bytes nor the metadata of anything have. */
  freePath(wanted: string): string {
    let path = join(this.dir, markedName(wanted, ""));
    while (exists(path) || exists(`${path}.json`)) {
      const n = this.#next.get(wanted) ?? 2;
      this.#next.set(wanted, n + 1);
      path = join(this.dir, markedName(wanted, `-${n}`));
    }
    return path;
  }

  /** Removes the folder that was made, if nothing is in it. */
  removeIfEmpty(): void {
    // Something may be in it.
    tryTo(() => this.#made.forEach(removeIfThere));
  }
}
