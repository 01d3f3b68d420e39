import { dirname } from "@std/path";
import { tryWriting } from "../../host/data_dir.ts";
import { isFolder } from "../../host/files.ts";
import { openFolder } from "../../host/folder.ts";
import { messageOf } from "../../host/message_of.ts";
import { failure, type Finding, ok } from "../../monitor/finding.ts";
import type { AfterUpload } from "../../watch/after_upload.ts";
import type { CommandContext } from "../command.ts";

/** Looks at each watched folder, and whether delivered files can be taken out of it. */
export function inspectFolders(
  { settings: { watch, afterUpload } }: CommandContext,
): Finding[] {
  const findings = watch.map((path) => inspectFolder(path, afterUpload));
  if (watch.length === 0 || afterUpload.kind !== "move") return findings;
  const { dir } = afterUpload;
  const error = objectionToWrite(existing(dir));
  return [
    ...findings,
    error === undefined
      ? ok("folder", `delivered files can be moved to "${dir}"`)
      : failure(
        "folder",
        `delivered files cannot be moved to "${dir}": ${error}`,
        "let this user write it, or name another one with --after-upload",
      ),
  ];
}

function inspectFolder(path: string, { kind }: AfterUpload): Finding {
  try {
    using folder = openFolder(path);
    folder.list().next();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    return failure(
      "folder",
      `"${path}" cannot be read: ${messageOf(error)}`,
      isMissing ? "make it, or mount it" : "let this user read it",
    );
  }
  if (kind === "keep") return ok("folder", `"${path}" can be read`);
  const error = objectionToWrite(path);
  return error === undefined
    ? ok("folder", `"${path}" can be read and written`)
    : failure(
      "folder",
      `delivered files cannot be taken out of "${path}": ${error}`,
      "let this user write it, or choose --after-upload keep",
    );
}

/** The reason why nothing can be made in a folder; `undefined` if it can. */
function objectionToWrite(path: string): string | undefined {
  try {
    tryWriting(path);
    return undefined;
  } catch (error) {
    // Without the trial's own name.
    return messageOf(error).replace(/: open .*$/s, "");
  }
}

/** The folder itself, or the one in which it would be made. */
function existing(path: string): string {
  while (!isFolder(path) && dirname(path) !== path) path = dirname(path);
  return path;
}
