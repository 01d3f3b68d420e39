/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return Deno.env.get("PATH")?.split(":").some((dir) => {
    try {
      return Deno.statSync(`${dir}/${name}`).isFile;
    } catch {
      return false;
    }
  }) ?? false;
}

/** Whether a command can be run, and succeeds. */
export async function succeeds(
  program: string,
  args: string[],
): Promise<boolean> {
  try {
    const options = { args, stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(program, options).output()).success;
  } catch {
    return false;
  }
}
