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
