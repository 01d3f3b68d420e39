import { assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { IS_OLDEST_DENO } from "../helpers/deno_version.ts";

const FILES = [
  "host/folder_test.ts",
  "host/sha256_test.ts",
  "host/lock_test.ts",
  "spool/intake_test.ts",
  "spool/move_in_test.ts",
  "spool/private_copy_test.ts",
];

Deno.test("what is done by Linux's own calls is done without them as well", {
  // It lists no name then that is not UTF-8, and copies no times before 1970.
  ignore: IS_OLDEST_DENO,
}, async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-check",
      ...["read", "write", "run", "env", "sys", "net"].map((name) =>
        `--allow-${name}`
      ),
      "--deny-ffi",
      ...bindingFlags(),
      ...FILES.map((name) => projectPath(`tests/${name}`)),
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, text(stdout) + text(stderr));
});
