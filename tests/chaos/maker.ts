import { join } from "@std/path";
import { sha256Of } from "../../sync/host/sha256.ts";
import type { Capture } from "./oracle.ts";
import { Random } from "../helpers/random.ts";

const NAMES = ["door", "schirm 2", "Bürø", "録画", "it's", "a.b"];

/** Makes captures: no two have the same bytes, unless they are tiny. */
export class Maker {
  readonly #random: Random;
  #made = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Writes a new capture into a folder. */
  make(
    dir: string,
    size: number,
    metadata: Record<string, unknown>,
  ): Capture {
    const { bytes, ...capture } = this.plan(dir, size, metadata);
    Deno.writeFileSync(capture.path, bytes);
    return capture;
  }

  /** Makes up a capture that is not written yet, or another version of one. */
  plan(
    dir: string,
    size: number,
    metadata: Record<string, unknown>,
    name: string = `${++this.#made} ${this.#random.pick(NAMES)}.bin`,
  ): Capture & { bytes: Uint8Array<ArrayBuffer> } {
    const bytes = this.#random.bytes(size);
    const sha256 = sha256Of(bytes);
    return { name, path: join(dir, name), size, sha256, metadata, bytes };
  }

  /** Metadata that are hard to pass on: nested, with quotes and other scripts. */
  metadata(): Record<string, unknown> {
    const random = this.#random;
    return {
      n: random.whole(0, 2 ** 31),
      ...(random.chance(0.5) && { titel: 'Tür "3" \\ 門\n\u0007' }),
      ...(random.chance(0.3) && { nested: { list: [1, null, { x: "" }] } }),
    };
  }
}
