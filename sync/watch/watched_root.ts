import { basename, dirname, join } from "@std/path";
import { isOutOfDescriptors } from "../host/files.ts";
import { type Folder, openFolder, openOwnFolder } from "../host/folder.ts";
import type { Log } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import type { OpenedFile } from "../host/opened_file.ts";
import { closeOnError } from "../host/try_to.ts";
import type { UnreadablePlace } from "./folder_state.ts";
import type { Place } from "./place.ts";

/** The identity of a link, its owner, and the owner of its folder. */
interface Link {
  id: string;
  uid: number | null;
  parentUid: number | null;
}

const RESTART = "start the agent again if that is right";

/**
 * A watched folder by the path that it was named by. It is opened anew for each
 * use, because a folder that is kept open keeps its disk from being unmounted.
 *
 * A folder that is not there, or not the same any more, is waited for, which is
 * logged once: one that has become a link, one that belongs to another user than
 * before, a link that somebody else may have planted or pointed elsewhere. A folder
 * that its owner has made anew is the same, and a mount that comes back.
 */
export class WatchedRoot {
  readonly path: string;
  /** The folder itself. */
  readonly place: Place = { root: this, name: "" };
  /** The reason why it is waited for; `undefined` while it is not. */
  trouble: { kind: "missing" | "refused"; reason: string } | undefined;
  /**
   * Whether files in it have sidecars: if one was seen; not if a file was finished
   * without one, and none was seen.
   */
  usesSidecars: boolean | undefined;
  /**
   * The files of captures without a copy that an attempt has missed, as their disk is
   * not mounted now; by the capture's id.
   */
  readonly away = new Map<string, UnreadablePlace>();
  readonly #log: Log;
  #said: string | undefined;
  /** Whether it had to be waited for since it was checked. */
  #wasAway = false;
  /** The identity that it had when it was checked, once that had changed. */
  #checked: { identity: string | undefined } | undefined;
  #first: { uid: number | null; link: Link | undefined } | undefined;

  /** @param path An absolute path. */
  constructor(path: string, log: Log) {
    this.path = path;
    this.#log = log;
  }

  /**
   * Opens the folder; `undefined` while it has to be waited for.
   *
   * @throws {Error} if too many files are open: that says nothing of the folder.
   */
  open(): Folder | undefined {
    try {
      const folder = this.#open();
      this.trouble = this.#said = undefined;
      return folder;
    } catch (error) {
      if (isOutOfDescriptors(error)) throw error;
      this.#wasAway = true;
      const reason = messageOf(error);
      const isMissing = error instanceof Deno.errors.NotFound;
      this.trouble = { kind: isMissing ? "missing" : "refused", reason };
      this.#say(
        isMissing
          ? `Cannot find the folder "${this.path}", waiting for it`
          : `Cannot watch "${this.path}", waiting: ${reason}`,
      );
      return undefined;
    }
  }

  /**
   * Tells if it has come, gone, or become another folder since the last call, and logs
   * that it is back; `undefined` if it has not.
   */
  check(): "new" | "back" | "gone" | undefined {
    const wasAway = this.#wasAway;
    this.#wasAway = false;
    using folder = this.open();
    const { folderId, birthtimeMs } = folder?.identity ?? {};
    const identity = folder && `${folderId} ${birthtimeMs}`;
    const before = this.#checked;
    // Files that were to be looked at while it was away were passed over.
    if (before?.identity === identity && !wasAway) return undefined;
    this.#checked = { identity };
    if (!folder) return "gone";
    if (before || wasAway) this.#log("info", `Watching "${this.path}"`);
    return before ? "back" : "new";
  }

  /**
   * Opens a file in it.
   *
   * @throws {Error} as {@linkcode Folder.openFile} does, and while the folder
   * has to be waited for.
   */
  openFile(name: string): OpenedFile {
    using folder = this.#open();
    return folder.openFile(name);
  }

  /** The name of a path in it; `undefined` if it lies elsewhere. */
  nameOf(path: string): string | undefined {
    const before = join(this.path, "_").slice(0, -1);
    return path.startsWith(before) ? path.slice(before.length) : undefined;
  }

  #open(): Folder {
    using parent = openOwnFolder(dirname(this.path));
    const link = linkAt(this.path);
    const folder = link
      ? openFolder(this.path)
      : parent.openFolder(basename(this.path) || ".");
    return closeOnError(
      folder,
      ({ identity }) => this.#accept(identity.uid, link),
    );
  }

  #accept(uid: number | null, link: Link | undefined): void {
    const first = this.#first;
    if (link) this.#assertMayLead(link, uid);
    const isNewLink = link !== undefined && link.id !== first?.link?.id;
    if (first && uid !== first.uid && uid !== ownUid() && !isNewLink) {
      throw new Error(
        `it belongs to user ${uid} now, and did to user ${first.uid}; ${RESTART}`,
      );
    }
    if (!first || link) this.#first = { uid, link };
  }

  /** @throws {Error} if another user may have placed the link. */
  #assertMayLead(link: Link, uid: number | null): void {
    const first = this.#first;
    if (first && !first.link) {
      throw new Error(`it was a folder and is a symbolic link now; ${RESTART}`);
    }
    if (linkAt(this.path)?.id !== link.id) {
      throw new Error("it is being changed just now");
    }
    const isTrusted = (owner: number | null) =>
      [ownUid(), 0].includes(owner) || owner === null;
    if (!isTrusted(link.uid) && link.uid !== uid) {
      throw new Error(
        `it is a symbolic link of user ${link.uid} to a folder of user ${uid}, expected one of this user, of root, or of that folder's owner`,
      );
    }
    if (!first || first.link?.id === link.id) return;
    const isParentSafe = isTrusted(link.parentUid) ||
      link.parentUid === link.uid;
    if (first.link?.uid === link.uid && isParentSafe) return;
    throw new Error(
      `user ${link.uid} has put another symbolic link there, in a folder of user ${link.parentUid}; ${RESTART}`,
    );
  }

  #say(message: string): void {
    if (message !== this.#said) this.#log("warn", message);
    this.#said = message;
  }
}

function ownUid(): number | null {
  return Deno.build.os === "windows" ? null : Deno.uid();
}

function linkAt(path: string): Link | undefined {
  const info = Deno.lstatSync(path);
  if (!info.isSymlink) return undefined;
  return {
    // A link cannot be pointed elsewhere, only be replaced.
    id: `${info.dev}:${info.ino}:${info.ctime?.getTime()}`,
    uid: info.uid,
    parentUid: Deno.statSync(dirname(path)).uid,
  };
}
