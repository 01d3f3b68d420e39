import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { libc } from "../../sync/host/libc.ts";
import { IS_OLDEST_DENO } from "../helpers/deno_version.ts";
import { Host } from "../helpers/host.ts";
import { LATIN_1, UTF_16 } from "../helpers/not_utf8.ts";
import { delivered, ScriptedServer } from "../helpers/scripted_server.ts";

Deno.test("metadata comes from a file or standard input, as it was written, or is refused", async () => {
  await using server = new ScriptedServer(delivered);
  await using host = new Host(server.url);
  const text = '{"ts_ns":1732647310123456789,"big":1e400}';
  const file = host.write("metadata.json", `\ufeff${text}\n`);
  const capture = host.write("a.png");
  const exact = async (...args: string[]) => {
    const { code, stderr } = await host.run("upload", capture, ...args);
    assertEquals(code, 0, stderr);
    const sent = new TextDecoder().decode(
      await server.requests.at(-1)!.body(),
    );
    for (const member of ['"ts_ns":1732647310123456789', '"big":1e400']) {
      assertEquals(sent.includes(member), true, sent);
    }
    return sent;
  };
  await exact("--metadata-file", file);
  const sent = await exact("--metadata-file", file, "--metadata", "door=3");
  assertEquals(sent.includes('"door":"3"'), true);
  const piped = await host.inShell(
    `printf '%s' '${text}' | "$@"`,
    ...["upload", capture, "--metadata-file", "-"],
  );
  assertEquals(piped.code, 0, piped.stderr);
  for (const path of ["/dev/fd/3", "/proc/self/fd/3", "/dev/stdin"]) {
    if (!libc) continue;
    const { code, stderr } = await host.inShell(
      `printf '%s' '${text}' | { exec 3<&0; "$@"; }`,
      ...["upload", capture, "--metadata-file", path],
    );
    assertEquals(code, 0, stderr);
    const body = await server.requests.at(-1)!.body();
    assertStringIncludes(new TextDecoder().decode(body), '"big":1e400');
  }
  for (
    const [args, expected] of [
      [
        ["--metadata-file", host.write("no", "[1]")],
        "--metadata-file: Cannot use an array as metadata",
      ],
      [
        ["--metadata-file", host.write("latin-1", LATIN_1)],
        "--metadata-file: Cannot read the metadata: expected JSON in UTF-8, it is not",
      ],
      [
        ["--metadata-file", host.write("utf-16", UTF_16)],
        "expected JSON in UTF-8, it is UTF-16",
      ],
      [
        ["--metadata-file", host.join("missing")],
        `or - for standard input (Cannot open "${
          host.join("missing")
        }": no such`,
      ],
      [
        ["--metadata-file", host.write("large", "x".repeat(2 ** 21))],
        "of more than 1048576 bytes",
      ],
      [
        ["--metadata-file", file, "--metadata-json", "{}"],
        "at once: expected one of them",
      ],
    ] as const
  ) {
    const { code, stderr } = await host.run("enqueue", capture, ...args);
    assertEquals(code, 2, stderr);
    assertEquals(stderr.includes(expected), true, stderr);
  }
});

Deno.test("metadata on the command line that is not UTF-8 is refused", {
  // The oldest Deno refuses such arguments itself.
  ignore: Deno.build.os === "windows" || IS_OLDEST_DENO,
}, async () => {
  await using host = new Host();
  const capture = host.write("a.png");
  for (
    const option of [
      '--metadata-json={"a":"T\\0374r"}',
      "--metadata=a=T\\0374r",
    ]
  ) {
    const { code, stderr } = await host.inShell(
      `option=$(printf %b '${option}'); "$@" "$option"`,
      ...["enqueue", capture],
    );
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, "that are not UTF-8");
  }
});

Deno.test("metadata that is no object, too deep or too large is refused before anything is queued", async () => {
  await using host = new Host();
  const path = host.write("a.png");
  // Linux takes no longer argument than 128 KiB.
  const deep = `{"hush":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
  const texts = ["hush", "[]", '"hush"', "null", '{"hush": 1', deep];
  for (const text of texts) {
    const { code, stderr } = await host.run(
      ...["enqueue", path, "--metadata-json", text],
    );
    assertEquals(code, 2);
    assertStringIncludes(stderr, "--metadata-json: Cannot ");
    assert(!stderr.includes("hush"), stderr);
  }
  const many = Array.from(
    { length: 12 },
    (_, i) => `k${i}=${"x".repeat(100_000)}`,
  );
  const { code, stderr } = await host.run(
    ...["enqueue", path, ...many.map((entry) => `--metadata=${entry}`)],
  );
  assertEquals(code, 2);
  assertStringIncludes(stderr, "more than 1048576 bytes");
  assertEquals((await host.run("list")).stdout, "");
});
