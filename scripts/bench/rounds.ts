/** Measures several contenders side by side. */

/** Something that is measured again and again. */
export interface Contender {
  name: string;
  /** Takes one turn and returns its figure; nothing where it is not installed. */
  turn: (() => Promise<number>) | "" | undefined;
}

/**
 * Gives each contender one turn in every round, each round beginning with another
 * one, and returns the medians by name. Anything else that slows the machine down
 * meanwhile meets all of them alike.
 */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
): Promise<Map<string, number>> {
  const there = contenders.flatMap(({ name, turn }) =>
    turn ? [{ name, turn }] : []
  );
  const figures = new Map(there.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < there.length; i++) {
      const { name, turn } = there[(round + i) % there.length]!;
      figures.get(name)!.push(await turn());
    }
  }
  return new Map([...figures].map(([name, all]) => [name, median(all)]));
}

/** The middle of some figures; `NaN` if there are none. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
