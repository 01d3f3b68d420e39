/** The receivers to start from, docs/receivers/: the real agent delivers to each. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { RunningCli } from "../helpers/cli.ts";
import { ContractClient } from "../helpers/contract.ts";
import { eventually } from "../helpers/eventually.ts";
import { hasProgram, succeeds } from "../helpers/has_program.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const FOLDER = projectPath("docs/receivers");
const TOKEN = "secret";

/** A program that listens on a port of its own, until the end of the scope. */
class Running extends RunningCli {
  readonly url: string;

  constructor(port: number, command: string[], env: Record<string, string>) {
    const [program, ...args] = command;
    const options = { args, env, stdout: "piped", stderr: "piped" } as const;
    super(new Deno.Command(program!, options).spawn());
    this.url = `http://127.0.0.1:${port}`;
  }

  async ready(): Promise<void> {
    let hasEnded = false;
    this.ended().then(() => hasEnded = true);
    await eventually("it is ready", async () => {
      assert(!hasEnded, this.stderr);
      const response = await fetch(`${this.url}/health/ready`).catch(() => {});
      await response?.body?.cancel();
      return response?.ok;
    });
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A Python that has what the receiver needs. */
async function findPython(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return undefined;
  const args = ["-c", "import fastapi, multipart, uvicorn"];
  for (const program of ["python3", "/usr/bin/python3"]) {
    if (await succeeds(program, args)) return program;
  }
}

const python = await findPython();

const RECEIVERS: Record<string, (port: number) => string[]> = {
  "the Hono receiver": () => [
    Deno.execPath(),
    "run",
    "--quiet",
    ...bindingFlags(),
    ...["net", "env", "read", "write"].map((name) => `--allow-${name}`),
    `${FOLDER}/hono_receiver.ts`,
  ],
  "the FastAPI receiver": (port) => [
    python!,
    ...["-m", "uvicorn", "--app-dir", FOLDER, "fastapi_receiver:app"],
    ...["--port", String(port)],
  ],
};

async function start(receiver: string, dir: string): Promise<Running> {
  const port = freePort();
  const running = new Running(port, RECEIVERS[receiver]!(port), {
    CAPTURE_TOKEN: TOKEN,
    CAPTURE_DIR: dir,
    PORT: String(port),
    PYTHONDONTWRITEBYTECODE: "1",
  });
  await running.ready();
  return running;
}

/** Starts the documentation's nginx in front of a server. */
async function startNginx(behind: string, dir: string): Promise<Running> {
  const port = freePort();
  const server = Deno.readTextFileSync(`${FOLDER}/nginx.conf`)
    .replace("listen 8080", `listen 127.0.0.1:${port}`)
    .replace("http://127.0.0.1:8000", behind);
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dir}/${name};`).join(" ");
  const path = `${dir}/nginx.conf`;
  Deno.writeTextFileSync(
    path,
    `daemon off; master_process off; pid ${dir}/pid; error_log stderr; events {}
    http { access_log off; ${temp} ${server} }`,
  );
  const args = ["nginx", "-p", dir, "-c", path];
  const { success, stderr } = await new Deno.Command("nginx", {
    args: [...args.slice(1), "-t"],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const running = new Running(port, args, {});
  await running.ready();
  return running;
}

const namesIn = (dir: string) =>
  [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) =>
    name !== ".incoming"
  ).toSorted();

/** Larger than nginx takes without being told. */
const bytes = crypto.getRandomValues(new Uint8Array(65_536));
const large = new Uint8Array(3_000_000).map((_, at) => bytes[at % 65_521]!);

/** The agent's own upload arrives, once, whole, with its metadata. */
async function assertDelivers(url: string, dir: string): Promise<void> {
  await using temp = new TempDir();
  const path = temp.write("movie.mp4", large);
  await using uploader = new CaptureUploader(url, { token: TOKEN });
  const options = { idempotencyKey: "key-1" };
  const first = await uploader.upload(path, { door: 3 }, options);
  assert(first.success, first.error!);
  const again = await uploader.upload(path, { door: 3 }, options);
  assertEquals([again.success, again.captureId], [true, first.captureId]);
  const id = first.captureId!;
  assertEquals(namesIn(dir), [id, `${id}.json`]);
  assertEquals(Deno.readFileSync(`${dir}/${id}`), large);
  const metadata = JSON.parse(Deno.readTextFileSync(`${dir}/${id}.json`));
  assertEquals(metadata.door, 3);
  assertEquals(metadata.sha256, sha256Of(large));
}

async function assertRefuses(url: string, dir: string): Promise<void> {
  const before = namesIn(dir);
  await using stranger = new CaptureUploader(url, { token: "other" });
  const refused = await stranger.uploadBytes(large, "a.png", {});
  assertMatch(refused.error!, /^HTTP 401: .*expected the right token/);
  assertEquals((await stranger.tryToken()).status, 401);
  await using uploader = new CaptureUploader(url, { token: TOKEN });
  assertEquals((await uploader.tryToken()).status, 400);
  const other = await uploader.uploadBytes(bytes, "a.png", {}, {
    idempotencyKey: "key-1",
  });
  assertMatch(other.error!, /^HTTP 422: .*other bytes/);

  const client = new ContractClient();
  const ask = async (metadata: string, headers: Record<string, string>) => {
    const body = new FormData();
    body.append("metadata", metadata);
    body.append("file", new Blob(["x"]), "a.png");
    return (await client.ask(`${url}/api/captures`, {
      method: "POST",
      body,
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
    })).status;
  };
  const key = { "idempotency-key": "key-2" };
  const wrong = JSON.stringify({ sha256: sha256Of(bytes) });
  assertEquals(await ask(wrong, key), 422, "a wrong hash");
  assertEquals(await ask("no JSON", key), 400);
  assertEquals(await ask("{}", {}), 400, "no key");
  assertEquals(namesIn(dir), before, "nothing of it is kept");
  assertEquals([...Deno.readDirSync(`${dir}/.incoming`)], []);
  const right = JSON.stringify({ sha256: sha256Of(Uint8Array.of(120)) });
  assertEquals(await ask(right, key), 201);
  assertEquals(await ask(right, key), 200);
  await client.ask(`${url}/health/ready`);
}

/** What was broken off is not there, and does not hold up the key. */
async function assertWhole(url: string, dir: string): Promise<void> {
  const before = namesIn(dir);
  const abort = new AbortController();
  const head =
    '--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf';
  const broken = fetch(`${url}/api/captures`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "idempotency-key": "key-3",
      "content-type": "multipart/form-data; boundary=edge",
    },
    body: new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(head)),
      pull: () => abort.abort(),
    }, { highWaterMark: 0 }),
    signal: abort.signal,
  });
  await broken.catch(() => {});
  await using uploader = new CaptureUploader(url, { token: TOKEN });
  const options = { idempotencyKey: "key-3" };
  await eventually("the key is free", async () => {
    const { success } = await uploader.uploadBytes(bytes, "a", {}, options);
    return success;
  });
  assertEquals(namesIn(dir).length, before.length + 2);
}

for (const receiver of Object.keys(RECEIVERS)) {
  const isMissing = receiver.includes("FastAPI") && python === undefined;
  const why = isMissing
    ? " (skipped: no python3 with fastapi, uvicorn and python-multipart)"
    : "";
  Deno.test({
    name: `${receiver} keeps the contract, also behind nginx${why}`,
    ignore: isMissing || Deno.build.os === "windows",
    async fn() {
      await using dir = new TempDir();
      await using running = await start(receiver, dir.path);
      await assertDelivers(running.url, dir.path);
      await assertRefuses(running.url, dir.path);
      await assertWhole(running.url, dir.path);
      if (!hasProgram("nginx")) return;
      await using front = new TempDir();
      await using behind = new TempDir();
      await using second = await start(receiver, behind.path);
      await using nginx = await startNginx(second.url, front.path);
      await assertDelivers(nginx.url, behind.path);
      await assertRefuses(nginx.url, behind.path);
      await assertWhole(nginx.url, behind.path);
    },
  });
}
