import type { StoredCapture } from "../../scripts/server/received_store.ts";

/** A capture as its maker knows it; several may have one name, none the same bytes too. */
export interface Capture {
  name: string;
  path: string;
  size: number;
  sha256: string;
  metadata: Record<string, unknown>;
}

/** What the program owes for a capture. */
export type Claim =
  /** It was acknowledged, or dropped into a watched folder: exactly once. */
  | "owed"
  /** Its `enqueue` was killed before it answered: at most once. */
  | "in doubt"
  /** Its `enqueue` said no: never. */
  | "refused";

/** Owns the truth: what must arrive, what may, and that nothing else does. */
export class Oracle {
  readonly #claims = new Map<
    string,
    { capture: Capture; claim: Claim; id: string | undefined }
  >();

  /** Notes a capture, or its new claim. */
  note(capture: Capture, claim: Claim, id?: string): void {
    this.#claims.set(keyOf(capture.name, capture.sha256), {
      capture,
      claim,
      id,
    });
  }

  /** How many captures are owed. */
  get owed(): number {
    return this.#with("owed").length;
  }

  /**
   * Whether these bytes belong to acknowledged captures alone. Others a kill may
   * leave behind: those in doubt, whole or in part, and those of a dropped file,
   * which is taken over anew.
   */
  mustBeGone(sha256: string): boolean {
    const alike = [...this.#claims.values()]
      .filter(({ capture }) => capture.sha256 === sha256);
    return alike.length > 0 &&
      alike.every(({ claim, id }) => claim === "owed" && id !== undefined);
  }

  /** The names of owed captures that have not arrived. */
  missing(received: readonly StoredCapture[]): string[] {
    const arrived = new Set(
      received.map(({ filename, sha256 }) => keyOf(filename, sha256)),
    );
    return this.#with("owed")
      .filter(({ name, sha256 }) => !arrived.has(keyOf(name, sha256)))
      .map(({ name }) => name);
  }

  /** All faults in the captures that have arrived, in words. */
  faults(received: readonly StoredCapture[]): string[] {
    const faults: string[] = [];
    const seen = new Map<string, string>();
    const keys = new Set<string>();
    for (const arrival of received) {
      const { filename, sha256, idempotencyKey: key } = arrival;
      const version = keyOf(filename, sha256);
      const first = seen.get(version);
      if (first !== undefined) {
        faults.push(
          `"${filename}" arrived twice: as ${first} and as ${key}`,
        );
      }
      seen.set(version, String(key));
      if (key === null || keys.has(key)) {
        faults.push(`"${filename}" arrived with the key ${key}, again or none`);
      } else keys.add(key);
      const fault = this.#judge(arrival);
      if (fault) faults.push(`"${filename}" ${fault}`);
    }
    return faults;
  }

  #judge(arrival: StoredCapture): string | undefined {
    const { filename, sha256, size } = arrival;
    const known = this.#claims.get(keyOf(filename, sha256));
    if (!known) {
      return `arrived with ${size} bytes that no maker has finished`;
    }
    const { capture, claim, id } = known;
    if (claim === "refused") return "arrived although its enqueue said no";
    if (id !== undefined && id !== arrival.idempotencyKey) {
      return `arrived as ${arrival.idempotencyKey}, was acknowledged as ${id}`;
    }
    const expected = { ...capture.metadata, filename: capture.name };
    for (const [name, value] of Object.entries(expected)) {
      if (JSON.stringify(arrival.metadata[name]) !== JSON.stringify(value)) {
        return `arrived without the metadata ${JSON.stringify(name)}`;
      }
    }
    return undefined;
  }

  #with(wanted: Claim): Capture[] {
    return [...this.#claims.values()].filter(({ claim }) => claim === wanted)
      .map(({ capture }) => capture);
  }
}

function keyOf(name: string, sha256: string): string {
  return `${sha256} ${name}`;
}
