import { succeeds } from "./has_program.ts";

/** Whether {@linkcode compileLibrary} can be used here: on Linux, with a C compiler. */
export async function canCompile(): Promise<boolean> {
  return Deno.build.os === "linux" && await succeeds("cc", ["--version"]);
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
