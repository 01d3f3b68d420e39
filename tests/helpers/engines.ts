import { type Engine, engineInUse } from "../../sync/queue/sqlite.ts";

/** Every SQLite that this host offers: the built-in always, a native library where one loads. */
export const ENGINES: readonly Engine[] = engineInUse().name === "ffi"
  ? ["builtin", "ffi"]
  : ["builtin"];

/** One test for each SQLite that this host offers. */
export function testOnEachEngine(
  name: string,
  body: (engine: Engine) => void | Promise<void>,
  options: Pick<Deno.TestDefinition, "ignore"> = {},
): void {
  for (const engine of ENGINES) {
    Deno.test(`${name} (${engine})`, options, () => body(engine));
  }
}
