import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseCommandLine } from "../../../sync/cli/command_line.ts";
import { COMMANDS } from "../../../sync/cli/commands.ts";
import { UsageError } from "../../../sync/cli/arguments.ts";
import {
  readToken,
  type TokenSource,
} from "../../../sync/cli/settings/token.ts";
import { runCli } from "../../helpers/cli.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/** The token as a command line and variables give it. */
async function tokenOf(
  args: string[],
  variables: Record<string, string> = {},
  command = "run",
): Promise<{ token: TokenSource; warnings: string[] }> {
  const env = (name: string) => variables[name];
  const warnings: string[] = [];
  const err = (line: string) => void warnings.push(line);
  const { given } = parseCommandLine(args, COMMANDS[command]!.options, env);
  const token = readToken(given, { env, err });
  await token.reload();
  return { token, warnings };
}

/** The token itself. */
async function read(...args: Parameters<typeof tokenOf>) {
  return (await tokenOf(...args)).token.get();
}

async function assertRefused(
  read: () => Promise<unknown>,
  message: string,
): Promise<void> {
  const error = await assertRejects(read, UsageError, message) as UsageError;
  assert(!error.message.includes("hush"), error.message);
}

Deno.test("the token is the file's, else the service manager's, else the variable's", async () => {
  await using dir = new TempDir();
  const file = dir.write("file", "  of-the-file\r\n");
  dir.write("token", "of-the-service\n");
  const env = { JARVIS_TOKEN: "of-the-variable" };
  const service = { ...env, CREDENTIALS_DIRECTORY: dir.path };
  const files = { ...service, JARVIS_TOKEN_FILE: file };
  assertEquals(await read(["--token-file", file], service), "of-the-file");
  assertEquals(await read([], files), "of-the-file");
  assertEquals(await read([], service), "of-the-service");
  assertEquals(await read([], env), "of-the-variable");
  const elsewhere = { ...env, CREDENTIALS_DIRECTORY: dir.join("none") };
  assertEquals(await read([], elsewhere), "of-the-variable");
  assertEquals(await read([]), undefined);
  assertEquals(await read([], { JARVIS_TOKEN: " " }), undefined);
});

Deno.test("a place of credentials that cannot be looked at is refused", async () => {
  const read = () => tokenOf([], { CREDENTIALS_DIRECTORY: "x".repeat(5_000) });
  await assertRefused(read, "Cannot read the token in CREDENTIALS_DIRECTORY: ");
});

Deno.test("a token file that cannot be used is refused, its content not repeated", async () => {
  await using dir = await new TempDir();
  const use = (file: string) => () => tokenOf(["--token-file", file]);
  for (const path of [dir.join("missing"), dir.path]) {
    await assertRefused(use(path), `Cannot read the token file "${path}": `);
  }
  for (const text of ["", " \n"]) {
    await assertRefused(use(dir.write("empty", text)), "it is empty, expected");
  }
  const binary = new Uint8Array([0x68, 0x75, 0x73, 0x68, 0xff, 0]);
  for (const text of ["hush hush", "hush\nhush", "hüsh", "hush\0", binary]) {
    await assertRefused(use(dir.write("odd", text)), "without spaces");
  }
  const variable = () => tokenOf([], { JARVIS_TOKEN: "hush hush" });
  await assertRefused(variable, "JARVIS_TO");
});

Deno.test(
  "a token file that others can read is warned of, one of another user is refused",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using dir = await new TempDir();
    const file = dir.write("token", "hush");
    Deno.chmodSync(file, 0o600);
    assertEquals((await tokenOf(["--token-file", file])).warnings, []);
    Deno.chmodSync(file, 0o640);
    assertEquals((await tokenOf(["--token-file", file])).warnings, [
      `jarvis-agent: Others can read the token file "${file}" (mode 640): chmod 600 it`,
    ]);
    if (Deno.uid() !== 0) return; // Only root can give files away.
    Deno.chownSync(file, 65534, 65534);
    const other = () => tokenOf(["--token-file", file]);
    await assertRefused(other, "belongs to another user (uid 65534");
  },
);

Deno.test("a token comes from a command, which is not told another one", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = new TempDir();
  const env = { JARVIS_TOKEN: "of-the-variable" };
  const command = (text: string) => ["--token-command", text];
  const counter = dir.join("counter");
  const { token } = await tokenOf(
    command(`echo x >> '${counter}'; wc -l < '${counter}' | tr -d ' '`),
    env,
  );
  assertEquals(token.get(), "1");
  await token.reload();
  assertEquals(token.get(), "2");
  Deno.env.set("JARVIS_TOKEN", "hush");
  try {
    const shown = command('echo "<$JARVIS_TOKEN>"');
    assertEquals(await read(shown, env), "<>");
  } finally {
    Deno.env.delete("JARVIS_TOKEN");
  }
  const refused = (text: string, message: string) =>
    assertRefused(() => tokenOf(command(text)), message);
  await refused("true", "it is empty");
  await refused("echo hush hush", "without spaces");
  await assertRefused(
    () => tokenOf([...command("echo a"), "--token-file", counter]),
    "Cannot use --token-file and --token-command at once",
  );
  // With the permissions that the program has.
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const token = request.headers.get("authorization");
      return Response.json({ id: `${token === "Bearer of-the-command"}` });
    },
  );
  const { stdout, stderr } = await runCli(
    ["upload", dir.write("a.png", "a"), ...command("echo of-the-command")],
    {
      env: {
        JARVIS_DATA_DIR: dir.join("data"),
        JARVIS_SERVER_URL: `http://127.0.0.1:${server.addr.port}`,
      },
    },
  );
  assert(stdout.includes("delivered as true"), stdout + stderr);
});

Deno.test(
  "a token comes from a pipe too",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using dir = new TempDir();
    const pipe = dir.join("pipe");
    await new Deno.Command("mkfifo", { args: ["-m", "600", pipe] }).output();
    const write = (text: string) =>
      new Deno.Command("sh", {
        args: ["-c", `printf '${text}' > "$0"`, pipe],
      }).output();
    const [token] = await Promise.all([
      read(["--token-file", pipe]),
      write("a\\n"),
    ]);
    assertEquals(token, "a");
    const odd = () =>
      Promise.all([tokenOf(["--token-file", pipe]), write("hush hush")]);
    await assertRefused(odd, "without spaces");
  },
);

Deno.test("a command that needs no token is not held up by one", async () => {
  const env = { JARVIS_TOKEN: "hush hush", JARVIS_TOKEN_FILE: "/nowhere" };
  assertEquals(await read(["x"], env, "enqueue"), undefined);
  await assertRefused(() => tokenOf([], env, "check"), "/nowhere");
});

Deno.test("a token file is read again on demand, and the last token stays if that fails", async () => {
  await using dir = await new TempDir();
  const file = dir.write("token", "first");
  const { token } = await tokenOf(["--token-file", file]);
  dir.write("token", "second");
  assertEquals(token.get(), "first");
  await token.reload();
  assertEquals(token.get(), "second");
  dir.write("token", "");
  await assertRefused(() => token.reload(), "it is empty");
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
