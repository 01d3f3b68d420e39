import type { FolderEntry } from "../host/folder.ts";
import type { OnceLog } from "../host/log.ts";
import { type FileIdentity, isSameFile } from "../host/opened_file.ts";
import type { Candidate } from "./candidate.ts";
import { lookAt } from "./place.ts";
import { readSidecar, SidecarError, sidecarOf } from "./sidecar.ts";
import type { SidecarOwners } from "./sidecar_owners.ts";
import type { Taker } from "./watcher_options.ts";

/** Kinds that no sidecar may be, which are not opened: a pipe might block. */
const WRONG: Partial<Record<FolderEntry["kind"], string>> = {
  link: "it is a link, expected a file",
  folder: "it is a folder, expected a file",
  other: "it is a pipe, a socket or a device, expected a file",
};

interface Options extends Pick<Taker, "isLateSidecar"> {
  owners: SidecarOwners;
  log: OnceLog;
}

/** A file's sidecar, or the error in it. */
export interface FoundSidecar {
  sidecar?: FileIdentity;
  wrong?: string;
}

/** Finds and reads the sidecars of files that may be captures; says once which cannot be used. */
export class SidecarReader {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** A file's sidecar, unless it belongs to an earlier version; or the error in it. */
  find({ folder, name, path, identity }: Candidate): FoundSidecar {
    const beside = lookAt(folder, sidecarOf(name));
    if (!beside) return {};
    if (beside.kind !== "file") return { wrong: WRONG[beside.kind]! };
    const { owners, isLateSidecar } = this.#options;
    const owner = owners.lateFor({ path, identity }, beside);
    const isLate = owner
      ? !isSameFile(owner, identity)
      : isLateSidecar?.(sidecarOf(path), beside);
    return isLate ? {} : { sidecar: beside };
  }

  /**
   * Reads the metadata of a file that has a sidecar; `undefined` while somebody writes
   * it, unless the file `isOverdue`, and goes without.
   */
  read(
    candidate: Candidate,
    { isOverdue = false }: { isOverdue?: boolean } = {},
  ): string | undefined {
    const { folder, name } = candidate;
    try {
      const sidecar = readSidecar(folder, sidecarOf(name));
      if (sidecar || !isOverdue) return sidecar?.metadataJson;
      this.sayUnusable(candidate, "somebody writes to it all the time");
      return "{}";
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "{}";
      if (!(error instanceof SidecarError)) throw error;
      this.sayUnusable(candidate, error.message);
      return "{}";
    }
  }

  sayUnusable({ path }: Candidate, reason: string): void {
    const sidecar = sidecarOf(path);
    this.#options.log.warn(
      sidecar,
      `Cannot use "${sidecar}", the capture goes without it: ${reason}`,
    );
  }
}
