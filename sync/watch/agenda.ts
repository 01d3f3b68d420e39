import { dirname } from "@std/path";
import type { WalkOptions } from "./folder_tree.ts";
import { pathOf, type Place } from "./place.ts";
import type { WatchedRoot } from "./watched_root.ts";

/** Files of one watched folder that are to be looked at together. */
export interface NamedFiles {
  root: WatchedRoot;
  /** Relative to the watched folder. */
  names: string[];
  /** Those of them that were renamed into place. */
  renamed: Set<string>;
}

/** How many files are looked at together. */
const TOGETHER = 100;
/** How many are remembered. */
const MAX_NAMED = 10_000;

/** The folders and single files to look at next. */
export class Agenda {
  /** By path. */
  readonly #walks = new Map<string, { place: Place; options: WalkOptions }>();
  readonly #named = new Map<string, { place: Place; renamed: boolean }>();

  /** A folder is to be walked through. */
  walk(place: Place, options: WalkOptions): void {
    this.#walks.set(pathOf(place), { place, options });
  }

  /** A file is to be looked at; where there are too many, its folder is. */
  look(place: Place, { renamed = false }: { renamed?: boolean } = {}): void {
    const path = pathOf(place);
    const isRenamed = renamed || this.#named.get(path)?.renamed === true;
    if (this.#named.size < MAX_NAMED) {
      this.#named.set(path, { place, renamed: isRenamed });
      return;
    }
    this.lookAround(place);
  }

  /** The folder that a file lies in is to be looked through, without those below it. */
  lookAround({ root, name }: Place): void {
    const parent = dirname(name);
    const folder = { root, name: parent === "." ? "" : parent };
    // One that is to be walked through with those below it stays so.
    if (this.#walks.has(pathOf(folder))) return;
    this.walk(folder, { unchanged: true, flat: true });
  }

  /** The folders, also those that are added meanwhile. */
  *takeWalks(): Generator<{ place: Place; options: WalkOptions }> {
    for (const [path, walk] of this.#walks) {
      this.#walks.delete(path);
      yield walk;
    }
  }

  /** The files, some at a time. */
  *takeNamed(): Generator<NamedFiles> {
    const named = [...this.#named.values()];
    this.#named.clear();
    for (const [root, files] of Map.groupBy(named, ({ place }) => place.root)) {
      for (let at = 0; at < files.length; at += TOGETHER) {
        const some = files.slice(at, at + TOGETHER);
        const nameOf = ({ place }: { place: Place }) => place.name;
        const renamed = some.filter(({ renamed }) => renamed).map(nameOf);
        yield { root, names: some.map(nameOf), renamed: new Set(renamed) };
      }
    }
  }
}
