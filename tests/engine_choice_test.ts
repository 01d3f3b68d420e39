import { assertEquals } from "@std/assert";
import { preferBuiltin } from "../sync/engine_choice.ts";

Deno.test("preferBuiltin() keeps the native SQLite from being looked for", async () => {
  preferBuiltin();
  const { defaultEngine, engineDetail } = await import("../sync/database.ts");
  assertEquals(defaultEngine, "builtin");
  assertEquals(engineDetail, "it was not asked for");
});
