import { assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";

const FILES = ["folder_test.ts", "sha256_test.ts", "lock_test.ts"];

Deno.test("what is done by Linux's own calls is done without them as well", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-check",
      ...["read", "write", "run", "env", "sys"].map((name) =>
        `--allow-${name}`
      ),
      "--deny-ffi",
      ...bindingFlags(),
      ...FILES.map((name) => projectPath(`tests/host/${name}`)),
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, text(stdout) + text(stderr));
});
