/** Whether {@linkcode compileLibrary} can be used here: on Linux, with a C compiler. */
export async function canCompile(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const { success } = await compiler(["--version"]).output();
    return success;
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
  const { success, stderr } = await compiler([...options, source]).output();
  if (success) return;
  throw new Error(
    `Cannot compile "${source}": ${new TextDecoder().decode(stderr)}`,
  );
}

function compiler(args: string[]): Deno.Command {
  return new Deno.Command("cc", { args, stdout: "null", stderr: "piped" });
}
