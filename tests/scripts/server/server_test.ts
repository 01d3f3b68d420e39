import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { type Ended, endOf, RunningCli } from "../../helpers/cli.ts";
import { eventually } from "../../helpers/eventually.ts";
import { TempDir } from "../../helpers/temp_dir.ts";
import { memoryOf } from "../../../scripts/process_memory.ts";
import { bindingFlags, projectPath } from "../../../scripts/task/bindings.ts";

function command(
  args: string[],
  env: Record<string, string> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ...bindingFlags(),
      projectPath("scripts/server/main.ts"),
      ...args,
    ],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the program to its end. */
function run(args: string[]): Promise<Ended> {
  return endOf(command(args));
}

/** A running server in a process of its own. */
class ServerProcess extends RunningCli {
  static async start(args: string[], env = {}): Promise<ServerProcess> {
    const server = new ServerProcess(command(args, env).spawn());
    await eventually("the server listens", () => server.url).catch((error) => {
      throw new Error(`${error.message}\n${server.stderr}`);
    });
    return server;
  }

  get url(): string {
    return /http:\/\/\S+:\d+(?=,)/.exec(this.stdout)?.[0] ?? "";
  }

  /** Sends a signal and waits for the end. */
  end(signal: Deno.Signal): Promise<Ended> {
    this.kill(signal);
    return this.ended();
  }
}

/** A blob of any size that takes no memory. */
class Zeros extends Blob {
  readonly #size: number;

  constructor(size: number) {
    super();
    this.#size = size;
  }

  override get size(): number {
    return this.#size;
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let left = this.#size;
    return new ReadableStream({
      pull: (controller) => {
        const length = Math.min(left, 128 * 1024);
        controller.enqueue(new Uint8Array(length));
        left -= length;
        if (left === 0) controller.close();
      },
    }, { highWaterMark: 0 });
  }
}

function formOf(content: Blob, filename = "shot.png"): FormData {
  const form = new FormData();
  form.append("metadata", '{"secret":"plan"}');
  form.append("file", content, filename);
  return form;
}

async function upload(
  url: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  // A new client each time: a server that was killed leaves dead connections.
  using client = Deno.createHttpClient({});
  const body = formOf(new Blob(["content"]));
  const response = await fetch(`${url}/api/captures`, {
    method: "POST",
    body,
    headers,
    client,
  });
  return new Response(await response.text(), response);
}

Deno.test("server prints its help and exits 0", async () => {
  const { code, stdout } = await run(["--help"]);
  assertEquals(code, 0);
  for (
    const option of [
      "port",
      "dir",
      "fail-rate",
      "drop-rate",
      "latency",
      "status",
      "quiet",
    ]
  ) assertStringIncludes(stdout, `--${option}`);
});

Deno.test("server names a wrong option, its value and what was expected, and exits 2", async () => {
  const runs = [
    [["--prot", "1"], "--prot"],
    [["received"], '"received"'],
    [
      ["--port", "65536"],
      '--port "65536": expected a whole number from 0 to 65535',
    ],
    [["--port"], '--port ""'],
    [["--port", "80a"], '--port "80a"'],
    [["--dir="], '--dir "": expected a value'],
    [["--fail-rate", "2"], '--fail-rate "2": expected a number from 0 to 1'],
    [["--drop-rate=-1"], '--drop-rate "-1"'],
    [
      ["--status", "200"],
      '--status "200": expected a whole number from 300 to 599',
    ],
    [["--latency", "1.5"], '--latency "1.5"'],
  ] as const;
  for (const [args, message] of runs) {
    const { code, stdout, stderr } = await run([...args]);
    assertStringIncludes(stderr, message);
    assertEquals([code, stdout], [2, ""], stderr);
  }
});

Deno.test("server exits 1 and says why when the port is taken or the folder is no folder", async () => {
  await using folder = new TempDir();
  await using server = await ServerProcess.start([
    "--port",
    "0",
    "--dir",
    folder.path,
  ]);
  const { port } = new URL(server.url);
  const other = join(folder.path, "other");
  const taken = await run(["--port", port, "--dir", other]);
  assertEquals(taken.code, 1, taken.stderr);
  assertStringIncludes(
    taken.stderr,
    `Cannot serve "${other}" on 127.0.0.1:${port}: `,
  );
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  const noFolder = await run(["--port", "0", "--dir", file]);
  assertEquals(noFolder.code, 1, noFolder.stderr);
  assertStringIncludes(noFolder.stderr, `Cannot serve "${file}"`);
});

Deno.test("server takes the token from JARVIS_TOKEN, and logs one line for each upload, without it", async () => {
  await using folder = new TempDir();
  const env = { JARVIS_TOKEN: "secret-token" };
  const args = ["--port", "0", "--dir", folder.path];
  for (const quiet of [[], ["--quiet"]]) {
    await using server = await ServerProcess.start([...args, ...quiet], env);
    assertEquals((await upload(server.url)).status, 401);
    const authorization = "Bearer secret-token";
    assertEquals((await upload(server.url, { authorization })).status, 201);
    const { code, stderr } = await server.end("SIGINT");
    assertEquals(code, 0);
    const lines = stderr.match(/^\d{4}-.*Z \d{3} .*$/gm) ?? [];
    assertEquals(lines.length, quiet.length > 0 ? 0 : 2, stderr);
    if (lines[1]) assertMatch(lines[1], / 201 stored .* 7 bytes, "shot\.png"$/);
    assert(!/secret|plan/.test(stderr));
  }
});

Deno.test({
  name: "server lets an upload end when it is told to stop",
  // Windows has no signal that asks a process to end.
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = new TempDir();
    await using server = await ServerProcess.start(
      ["--port", "0", "--dir", folder.path, "--latency", "500"],
    );
    const answer = upload(server.url);
    await eventually(
      "the capture is stored",
      () =>
        [...Deno.readDirSync(folder.path)].some(({ name }) =>
          name.endsWith("-shot.png")
        ),
    );
    const { code } = await server.end("SIGTERM");
    assertEquals([(await answer).status, code], [201, 0]);
  },
});

Deno.test("server that was killed still knows its keys when it starts again", async () => {
  await using folder = new TempDir();
  const args = ["--dir", folder.path, "--port"];
  await using first = await ServerProcess.start([...args, "0"]);
  const { id } = await (await upload(first.url, { "idempotency-key": "k" }))
    .json();
  await first.end("SIGKILL");

  await using second = await ServerProcess.start([
    ...args,
    new URL(first.url).port,
  ]);
  assertEquals(second.url, first.url);
  const again = await (await upload(second.url, { "idempotency-key": "k" }))
    .json();
  assertEquals(again.id, id);
  const listing = await (await fetch(`${second.url}/api/captures`)).json();
  assertEquals(listing.length, 1);
});

Deno.test({
  name: "server takes a large capture in little memory",
  // Only Linux tells the largest amount of memory that a process has had.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = new TempDir();
    await using server = await ServerProcess.start([
      "--port",
      "0",
      "--dir",
      folder.path,
      "--no-fsync",
    ]);
    const size = 512 * 1024 * 1024;
    const response = await fetch(`${server.url}/api/captures`, {
      method: "POST",
      body: formOf(new Zeros(size), "big"),
    });
    const { id } = await response.json();
    assertEquals((await Deno.stat(join(folder.path, `${id}-big`))).size, size);
    const peakMiB = memoryOf(server.pid, "VmHWM") / 1024 ** 2;
    assert(peakMiB < 300, `needed ${peakMiB} MiB`);
  },
});
