import fc from "fast-check";

/** How many cases, and from which seed. */
export interface Cases {
  count: number;
  seed: number;
  /** Whether the examples that once failed are tried first. */
  withExamples: boolean;
}

/** One thing that must hold for any input. */
export interface Target {
  name: string;
  /** How many of the cases are its own, in proportion: fewer where one takes longer. */
  share: number;
  /**
   * Tries random inputs.
   *
   * @returns how many were tried
   * @throws {Error} that shows the smallest input for which it does not hold.
   */
  run(cases: Cases): Promise<number>;
}

/** Options for {@linkcode target}. */
export interface TargetOptions<T> {
  share: number;
  /** Inputs that once failed. */
  examples?: T[];
}

/**
 * Defines a target.
 *
 * @param open Returns what must hold; what it opens it puts on the stack, which is
 * disposed of after each run.
 */
export function target<T>(
  name: string,
  { share, examples = [] }: TargetOptions<NoInfer<T>>,
  open: (
    stack: AsyncDisposableStack,
  ) => fc.IProperty<[T]> | fc.IAsyncProperty<[T]>,
): Target {
  return {
    name,
    share,
    async run({ count, seed, withExamples }) {
      await using stack = new AsyncDisposableStack();
      const kept = withExamples ? examples : [];
      const details = await fc.check(open(stack), {
        seed,
        numRuns: Math.max(count, kept.length),
        examples: kept.map((example): [T] => [example]),
      });
      if (!details.failed) return details.numRuns;
      const report = await fc.asyncDefaultReportMessage(details);
      throw new Error(`"${name}" does not hold: ${report}`, {
        cause: details.errorInstance,
      });
    },
  };
}
