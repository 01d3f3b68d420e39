/**
 * What an executable tells V8. The agent lives for months and is mostly idle, so
 * memory counts for as much as speed: with these a backlog of 20,000 small captures
 * leaves as fast as without, in 130 MB instead of 230. Two are not among them:
 *
 * - `--optimize-for-size` spares 25 MB of that, and takes a tenth longer
 * - `--max-lazy` spares a short command 1 ms: with it V8 13.7 failed a check of its
 *   own, and the agent was gone
 */
export const V8_FLAGS: readonly string[] = [
  // Objects live as long as an upload. With more room for them an agent that
  // has delivered a backlog goes on holding 20 MB more.
  "--max-semi-space-size=1",
  // To collect once behind a burst of work: see `sync/cli/memory.ts`.
  "--expose-gc",
  // Two of its compilers fewer: 2 to 3 MB of their code and 2 of what they keep.
  "--no-sparkplug",
  "--no-turbofan",
];

/** As an argument of `deno run` and `deno compile`. */
export const V8_FLAGS_ARGUMENT = `--v8-flags=${V8_FLAGS.join(",")}`;
