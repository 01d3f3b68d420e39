/** Yields the source files in a folder and below, or the file itself. */
export function* sourceFiles(path: string): Generator<string> {
  if (!Deno.statSync(path).isDirectory) return yield path;
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory || name.endsWith(".ts")) {
      yield* sourceFiles(`${path}/${name}`);
    }
  }
}
