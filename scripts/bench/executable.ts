/** Builds the executable that users get, where that works. */
import { programArgs, run } from "./children.ts";

/** Returns whether `output` is the agent's executable now. */
export async function compileAgent(output: string): Promise<boolean> {
  return await works(() =>
    run(Deno.execPath(), [
      ...programArgs("scripts/build/compile.ts"),
      `--output=${output}`,
    ])
  );
}

/** Returns whether `output` is an executable now that does what `source` says. */
export async function compileSource(
  output: string,
  source: string,
): Promise<boolean> {
  const deno = Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath();
  const flags = ["-A", "--quiet", "--no-config", "--no-code-cache"];
  return await works(() =>
    run(deno, ["compile", ...flags, "--output", output, source])
  );
}

/** `deno compile` downloads a part of itself, which some networks do not let through. */
async function works(compile: () => Promise<unknown>): Promise<boolean> {
  try {
    await compile();
    return true;
  } catch {
    return false;
  }
}
