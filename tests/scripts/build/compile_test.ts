import { Buffer } from "node:buffer";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  isMadeFor,
  targetOf,
  TARGETS,
} from "../../../scripts/build/targets.ts";
import { permissionsOn } from "../../../scripts/build/permissions.ts";
import { writeSums } from "../../../scripts/build/sha256_sums.ts";
import { downloadLibrary } from "../../../scripts/build/sqlite_library.ts";
import { Stage } from "../../../scripts/build/stage.ts";
import {
  buildExecutable,
  runCompile,
  sqliteLibFlags,
} from "../../helpers/executable.ts";
import { sha256Of } from "../../../sync/host/sha256.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const built = await buildExecutable();

const libraryHost = (answer: () => Response) =>
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);

Deno.test({
  name:
    "compile makes an executable of this system that adds 9 MB at most to Deno's runtime",
  ignore: !built.path,
  fn() {
    assert(isMadeFor(targetOf(Deno.build.target), built.path!));
    const runtime = Deno.env.get("DENORT_BIN");
    const { size } = Deno.statSync(built.path!);
    const limit = runtime ? Deno.statSync(runtime).size + 9e6 : 110e6;
    assert(size <= limit, `${size} bytes, expected ${limit} at most`);
  },
});

Deno.test({
  name:
    "compile puts nothing of the project into it that the program does not import",
  ignore: !built.path,
  fn() {
    const content = Buffer.from(Deno.readFileSync(built.path!));
    assert(content.includes("statements.ts"));
    assert(!content.includes("reference_server"));
  },
});

Deno.test("compile without a denort ends with one line that names DENORT_BIN", async () => {
  await using dir = await new TempDir();
  const output = dir.join("agent");
  const missing = dir.join("denort");
  const { code, stderr } = await runCompile(
    ["--output", output, ...sqliteLibFlags()],
    { DENORT_BIN: missing },
  );
  assertEquals(code, 1);
  assertEquals(
    stderr,
    `Cannot build for ${Deno.build.target}: there is no "${missing}"; ` +
      "expected DENORT_BIN to name the denort of the same version for that system\n",
  );
});

Deno.test("compile that cannot fetch denort ends with one line that names DENORT_BIN", async () => {
  await using dir = await new TempDir();
  const { code, stderr } = await runCompile(
    ["--output", dir.join("agent"), ...sqliteLibFlags()],
    {
      DENORT_BIN: "",
      // Only what is fetched over TLS, so that the packages are still there.
      HTTPS_PROXY: "http://127.0.0.1:9",
      DENO_FOR_COMPILE: Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath(),
    },
  );
  if (code === 0) return; // This Deno has fetched one before.
  if (stderr.startsWith("Cannot download")) return; // Nor SQLite's release.
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^Downloading Deno's runtime\nCannot build for \S+: Cannot download Deno's runtime from "https:.*": .*DENO_TLS_CA_STORE .*DENORT_BIN.*\n$/,
  );
});

Deno.test("compile takes no denort of another system", async () => {
  await using dir = await new TempDir();
  const other = Deno.build.os === "windows"
    ? "x86_64-unknown-linux-gnu"
    : "x86_64-pc-windows-msvc";
  const { code, stderr } = await runCompile(
    ["--target", other, "--output", dir.join("agent")],
    { DENORT_BIN: Deno.execPath(), DENO_SQLITE_PATH: "" },
  );
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot build for .* is for another system; expected/);
});

for (
  const [args, message] of [
    [["--target", "pdp11"], 'Unknown target "pdp11": expected one of x86_64-'],
    [["--all", "--output", "agent"], "Cannot use --all with --target"],
    [["--output="], 'Cannot use --output "": expected a value'],
    [["dist"], 'Unknown argument "dist"'],
  ] as const
) {
  Deno.test(`compile ${args.join(" ")} is refused`, async () => {
    const { code, stderr } = await runCompile([...args]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("an executable may do what it needs, and start a shell, and systemd's programs, only where they are", () => {
  for (const { os } of Object.values(TARGETS)) {
    const permissions = permissionsOn(os);
    assert(!permissions.includes("-A"));
    assert(!permissions.includes("--allow-run"));
    const run = permissions.find((flag) => flag.startsWith("--allow-run="));
    assertEquals(run?.includes("/bin/sh") ?? false, os !== "windows");
    assertEquals(run?.includes("systemctl") ?? false, os === "linux");
  }
});

Deno.test("Stage holds the program's sources and nothing of what lies beside them", () => {
  using stage = new Stage();
  const names = [...Deno.readDirSync(stage.path)].map(({ name }) => name);
  assertEquals(
    names.sort(),
    ["deno.json", "deno.lock", "main.ts", "scripts", "sync"],
  );
});

Deno.test("writeSums() sums new files, keeps old ones and forgets those that are gone", async () => {
  await using dir = await new TempDir();
  dir.write("a", "one");
  dir.write("b", "two");
  dir.write("c", "three");
  writeSums(dir.path, ["a", "b"]);
  const before = Deno.readTextFileSync(dir.join("SHA256SUMS"));
  Deno.removeSync(dir.join("b"));
  writeSums(dir.path, ["c"]);
  const [a = ""] = before.split("\n");
  const c = sha256Of("three");
  assertEquals(
    Deno.readTextFileSync(dir.join("SHA256SUMS")),
    `${a}\n${c}  c\n`,
  );
});

Deno.test("downloadLibrary() pins what it sees first, and takes nothing else afterwards", async () => {
  await using dir = await new TempDir();
  const pins = dir.write("pins.json", "{}");
  let body = "library";
  await using host = libraryHost(() => new Response(body));
  const options = {
    pins,
    version: "1.2.3",
    releases: `http://127.0.0.1:${host.addr.port}`,
  };
  const bytes = await downloadLibrary("lib.so", options);
  assertEquals(new TextDecoder().decode(bytes), "library");
  assertEquals(JSON.parse(Deno.readTextFileSync(pins)), {
    "1.2.3": { "lib.so": sha256Of(bytes) },
  });
  await downloadLibrary("lib.so", options);
  body = "another";
  const error = await rejection(downloadLibrary("lib.so", options));
  assertMatch(error.message, /^Cannot use .*expected the pinned /);
});

Deno.test("downloadLibrary() says what to do where there is no such release", async () => {
  await using dir = await new TempDir();
  await using host = libraryHost(() => new Response(null, { status: 404 }));
  const releases = `http://127.0.0.1:${host.addr.port}`;
  const error = await rejection(downloadLibrary("lib.so", {
    pins: dir.write("pins.json", "{}"),
    version: "1",
    releases,
  }));
  assertEquals(
    error.message,
    `Cannot download "${releases}/1/lib.so": the answer was 404; ` +
      "expected it there, or the library's file with --sqlite-lib FILE",
  );
});

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => {
      throw new Error("It was fulfilled");
    },
    (error) => error,
  );
}
