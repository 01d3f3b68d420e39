import { basename, join, parse } from "@std/path";
import { syncDir } from "../../host/data_dir.ts";
import { exists, removeIfThere, writeAll } from "../../host/files.ts";
import type { QueuedCapture } from "../../queue/queue.ts";
import {
  copyPrivately,
  openCapture,
  opened,
  type OpenOriginal,
} from "../../spool/private_copy.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { queuedByName } from "../named_captures.ts";
import { originals } from "../originals.ts";
import { type Look, lookInto, noQueue } from "../store.ts";

/**
 * Copies captures out of the queue, which stays as it is: NAME has the bytes and
 * NAME.json the metadata. No file is replaced. The metadata come last: what has
 * them is whole, and on the disk.
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
  makeFolder(dir);
  const named = queuedByName(look.queue, ids, { verb: "export", err });
  const captures = given.has("failed")
    ? look.queue.captures({ status: "failed" })
    : named.captures;
  const openOriginal = originals(look.queue);
  let code: number = named.isComplete ? ExitCode.ok : ExitCode.failure;
  for (const capture of captures) {
    try {
      out(await exportOne(capture, { look, openOriginal, dir }));
    } catch (error) {
      const { message } = error as Error;
      err(`jarvis-agent: Cannot export "${capture.id}": ${message}`);
      code = ExitCode.failure;
    }
  }
  return code;
}

/** Returns where the bytes are then. */
async function exportOne(
  capture: QueuedCapture,
  { look: { spool }, openOriginal, dir }: {
    look: Look;
    openOriginal: OpenOriginal;
    dir: string;
  },
): Promise<string> {
  const { id, filepath, spooled, sha256 } = capture;
  using file = spooled && spool
    ? openCapture(spool.pathOf(id))
    : opened(filepath, () => openOriginal(capture));
  const path = freePath(dir, basename(filepath) || id);
  // Whatever goes wrong before it is made is another's file.
  let isOurs = false;
  try {
    const copied = await copyPrivately(file, path).catch((error) => {
      isOurs = !(error instanceof Deno.errors.AlreadyExists);
      throw error;
    });
    isOurs = true;
    if (sha256 && copied !== sha256) {
      throw new Error(
        `"${file.path}" has other bytes than were handed over (their SHA-256 is ${copied}, expected ${sha256})`,
      );
    }
    writeNew(`${path}.json`, capture.metadataJson + "\n");
  } catch (error) {
    if (isOurs) removeIfThere(path);
    throw error;
  }
  syncDir(dir);
  return path;
}

/** A name that neither the bytes nor the metadata of anything have. */
function freePath(dir: string, wanted: string): string {
  const { name, ext } = parse(wanted);
  let path = join(dir, wanted);
  for (let n = 2; exists(path) || exists(`${path}.json`); n++) {
    path = join(dir, `${name}-${n}${ext}`);
  }
  return path;
}

function writeNew(path: string, text: string): void {
  using file = Deno.openSync(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  writeAll(file, new TextEncoder().encode(text));
  file.syncSync();
}

function makeFolder(dir: string): void {
  try {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `Cannot export into "${dir}": ${message}; expected a folder, or a place where one can be made`,
      { cause },
    );
  }
}
