/**
 * Whether {@linkcode compileLibrary} can be used here: on Linux, with a C compiler for
 * this processor. The loader leaves out a library for another one, as under emulation.
 */
export async function canCompile(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const { stdout } = await new Deno.Command("cc", { args: ["-dumpmachine"] })
      .output();
    return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
  } catch {
    return false;
  }
}

/** Compiles a C file to a library that can be preloaded into a program. */
export async function compileLibrary(
  source: string,
  library: string,
): Promise<void> {
  const options = ["-shared", "-fPIC", "-O1", "-Wall", "-o", library];
  const { success, stderr } = await new Deno.Command("cc", {
    args: [...options, source],
  }).output();
  if (success) return;
  throw new Error(
    `Cannot compile "${source}": ${new TextDecoder().decode(stderr)}`,
  );
}
