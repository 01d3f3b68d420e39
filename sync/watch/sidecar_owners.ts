import { type FileIdentity, isSameFile } from "../host/opened_file.ts";

/** A version of a capture that was taken over. */
interface TakenVersion {
  file: FileIdentity;
  /** The file of its metadata. */
  sidecar: FileIdentity | undefined;
  /** Until when a sidecar that comes is still its own, by a clock that never jumps. */
  until: number;
}

/** How many names are remembered, those that were met last. */
const MAX_NAMES = 1_000;

/** Knows to which version of its capture a sidecar belongs, as far as that can be told. */
export class SidecarOwners {
  /** The last versions, by path. */
  readonly #taken = new Map<string, TakenVersion>();
  /** Sidecars that came too late, by the path of their capture, with its version. */
  readonly #late = new Map<
    string,
    { sidecar: FileIdentity; owner: FileIdentity }
  >();

  /**
   * Remembers that a version is taken over with this sidecar, or without any.
   *
   * @param options `lateMs` is for how long one may follow that is its own.
   */
  taken(
    { path, identity: file }: { path: string; identity: FileIdentity },
    { sidecar, lateMs }: { sidecar: FileIdentity | undefined; lateMs: number },
  ): void {
    const until = performance.now() + lateMs;
    remember(this.#taken, path, { file, sidecar, until });
  }

  /** Whether a version of a capture was taken over with this very sidecar. */
  wasUsed(path: string, sidecar: FileIdentity): boolean {
    const used = this.#taken.get(path)?.sidecar;
    return used !== undefined && isSameFile(used, sidecar);
  }

  /**
   * The version that was taken over without this sidecar, which is its own: it came
   * too late. It stays so until it is written anew.
   *
   * @param capture As it is now, if it is there.
   */
  lateFor(
    { path, identity }: { path: string; identity?: FileIdentity | undefined },
    sidecar: FileIdentity,
  ): FileIdentity | undefined {
    const late = this.#late.get(path);
    if (late && isSameFile(late.sidecar, sidecar)) return late.owner;
    const taken = this.#taken.get(path);
    const isWaitedFor = taken && !taken.sidecar &&
      performance.now() <= taken.until;
    if (!isWaitedFor) return undefined;
    const { file: owner } = taken;
    const isOfNext = identity && !isSameFile(identity, owner) &&
      sidecar.ctimeMs >= identity.ctimeMs;
    if (isOfNext) return undefined;
    remember(this.#late, path, { sidecar, owner });
    return owner;
  }
}

function remember<T>(map: Map<string, T>, path: string, value: T): void {
  map.delete(path);
  map.set(path, value);
  if (map.size > MAX_NAMES) map.delete(map.keys().next().value!);
}
