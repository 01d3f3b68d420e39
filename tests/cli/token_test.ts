import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../sync/cli/command_line.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { UsageError } from "../../sync/cli/arguments.ts";
import { readToken, type TokenSource } from "../../sync/cli/token.ts";
import { runCli } from "../helpers/cli.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** The token as a command line and variables give it. */
function tokenOf(
  args: string[],
  env: Record<string, string> = {},
  command = "run",
): TokenSource {
  const lookUp = (name: string) => env[name];
  const { options } = COMMANDS[command]!;
  return readToken(parseCommandLine(args, options, lookUp).given, lookUp);
}

function assertRefused(read: () => unknown, message: string): void {
  const error = assertThrows(read, UsageError, message) as UsageError;
  assert(!error.message.includes("hush"), error.message);
}

Deno.test("the token is the file's, else the service manager's, else the variable's", async () => {
  await using dir = new TempDir();
  const file = dir.write("file", "  of-the-file\r\n");
  dir.write("token", "of-the-service\n");
  const env = { JARVIS_TOKEN: "of-the-variable" };
  const service = { ...env, CREDENTIALS_DIRECTORY: dir.path };
  const files = { ...service, JARVIS_TOKEN_FILE: file };
  assertEquals(tokenOf(["--token-file", file], service).get(), "of-the-file");
  assertEquals(tokenOf([], files).get(), "of-the-file");
  assertEquals(tokenOf([], service).get(), "of-the-service");
  assertEquals(tokenOf([], env).get(), "of-the-variable");
  const elsewhere = { ...env, CREDENTIALS_DIRECTORY: dir.join("none") };
  assertEquals(tokenOf([], elsewhere).get(), "of-the-variable");
  assertEquals(tokenOf([]).get(), undefined);
  assertEquals(tokenOf([], { JARVIS_TOKEN: " " }).get(), undefined);
});

Deno.test("a token file that cannot be used is refused, its content not repeated", async () => {
  await using dir = new TempDir();
  const use = (file: string) => () => tokenOf(["--token-file", file]);
  assertRefused(use(dir.join("missing")), "expected a file with the token");
  assertRefused(use(dir.path), `Cannot read the token file "${dir.path}"`);
  for (const text of ["", " \n"]) {
    assertRefused(use(dir.write("empty", text)), "it is empty, expected the");
  }
  const binary = new Uint8Array([0x68, 0x75, 0x73, 0x68, 0xff, 0]);
  for (const text of ["hush hush", "hush\nhush", "hüsh", "hush\0", binary]) {
    assertRefused(use(dir.write("odd", text)), "without spaces");
  }
  assertRefused(() => tokenOf([], { JARVIS_TOKEN: "hush hush" }), "JARVIS_TO");
});

Deno.test("a command that needs no token is not held up by one", () => {
  const env = { JARVIS_TOKEN: "hush hush", JARVIS_TOKEN_FILE: "/nowhere" };
  assertEquals(tokenOf(["x"], env, "enqueue").get(), undefined);
  assertRefused(() => tokenOf([], env, "check"), "/nowhere");
});

Deno.test("a token file is read again on demand, and the last token stays if that fails", async () => {
  await using dir = new TempDir();
  const file = dir.write("token", "first");
  const token = tokenOf(["--token-file", file]);
  dir.write("token", "second");
  assertEquals(token.get(), "first");
  token.reload();
  assertEquals(token.get(), "second");
  dir.write("token", "");
  assertRefused(() => token.reload(), "it is empty");
  assertEquals(token.get(), "second");
});

Deno.test("a token that the server repeats reaches neither output nor queue", async () => {
  await using dir = new TempDir();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const token = request.headers.get("authorization");
      // It is asked for, and the body need not be read.
      return new Response(`unknown: ${token}`, { status: token ? 422 : 401 });
    },
  );
  const env = {
    JARVIS_DATA_DIR: dir.join("data"),
    JARVIS_SERVER_URL: `http://127.0.0.1:${server.addr.port}`,
    CREDENTIALS_DIRECTORY: dir.path,
  };
  dir.write("token", "hush-hush");
  const file = dir.write("a.png", "a");
  const upload = await runCli(["upload", file], { env });
  await runCli(["enqueue", file], { env });
  const sync = await runCli(["sync"], { env });
  const list = await runCli(["list", "--json"], { env });
  const said = JSON.stringify([upload, sync, list]);
  assert(said.includes("HTTP 422: unknown: Bearer [token]"), said);
  assert(!said.includes("hush-hush"), said);
});
