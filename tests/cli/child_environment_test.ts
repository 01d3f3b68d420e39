import { assertEquals } from "@std/assert";
import { childEnvironment } from "../../sync/cli/child_environment.ts";

Deno.test("a program that is started is told neither the token nor another library", () => {
  const variables = {
    JARVIS_TOKEN: "hush",
    JARVIS_TOKEN_FILE: "/token",
    LD_PRELOAD: "/x.so",
  };
  for (const [name, text] of Object.entries(variables)) {
    Deno.env.set(name, text);
  }
  try {
    const { clearEnv, env } = childEnvironment({ LC_ALL: "C" });
    assertEquals(clearEnv, true);
    assertEquals(
      [env.JARVIS_TOKEN, env.LD_PRELOAD, env.JARVIS_TOKEN_FILE, env.LC_ALL],
      [undefined, undefined, "/token", "C"],
    );
  } finally {
    for (const name of Object.keys(variables)) Deno.env.delete(name);
  }
});
