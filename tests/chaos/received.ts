import { join } from "@std/path";
import type { ReceivedCapture } from "../../scripts/server/received_store.ts";

/** A capture that the server has stored, its metadata with it. */
export interface Received extends ReceivedCapture {
  metadata: Record<string, unknown>;
}

/** Reads what the server has stored from its folder: the one thing a kill of it leaves. */
export class ReceivedFolder {
  readonly #dir: string;
  readonly #byName = new Map<string, Received>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Everything received so far. */
  read(): readonly Received[] {
    const names = new Set(
      Array.from(Deno.readDirSync(this.#dir), (entry) => entry.name),
    );
    for (const name of names) {
      // The record comes first; without the bytes it was not stored.
      const file = name.slice(0, -".json".length);
      if (!name.endsWith(".json") || !names.has(file)) continue;
      if (this.#byName.has(name)) continue;
      this.#byName.set(
        name,
        JSON.parse(Deno.readTextFileSync(join(this.#dir, name))),
      );
    }
    return [...this.#byName.values()];
  }
}
