/** Measures several contenders side by side. */

/** Something that is measured again and again. */
export interface Contender {
  name: string;
  /** Takes one turn and returns its figure. */
  turn: () => Promise<number>;
}

/**
 * Gives each contender one turn in every round, each round beginning with
 * another one, and returns the medians by name. Whatever else slows the machine
 * down meanwhile meets all of them alike.
 */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
): Promise<Map<string, number>> {
  const figures = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const { name, turn } = contenders[(round + i) % contenders.length]!;
      figures.set(name, [...figures.get(name) ?? [], await turn()]);
    }
  }
  // In the order in which they were given.
  return new Map(contenders.map(({ name }) => [
    name,
    median(figures.get(name) ?? []),
  ]));
}

/** The middle of some figures; `NaN` if there are none. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
