import { join } from "@std/path";

/** The paths of all files in a folder and below. */
export function filesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(join(dir, name)) : [join(dir, name)]
  );
}

/** Copies a file, or a folder with all in it, to a new place. */
export function copyTree(from: string, to: string): void {
  if (Deno.statSync(from).isFile) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) {
    copyTree(join(from, name), join(to, name));
  }
}
