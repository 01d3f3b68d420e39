import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { projectPath } from "../../scripts/task/bindings.ts";
import { probe } from "../../scripts/task/fetch_dependencies.ts";
import { type Ended, endOf } from "../helpers/cli.ts";
import { NpmRegistry } from "./npm_registry.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { copyTree } from "../helpers/folders.ts";

/** Far longer than a probe may take: what takes longer hangs. */
const HANGS_MS = 60_000;

/** A project with the tasks of this one, and with one dependency. */
class Project implements AsyncDisposable {
  readonly #dir = new TempDir();
  readonly #env: Record<string, string>;

  constructor(
    registry: string,
    { authority = "", integrity = "sha512-" } = {},
    env: Record<string, string> = { JARVIS_DEPS: "npm" },
  ) {
    copyTree(projectPath("scripts"), this.#dir.join("scripts"));
    for (const [path, content] of Object.entries(FILES)) {
      this.#dir.write(path, content);
    }
    this.#dir.write("scripts/npm/deno.lock", lockOf(registry, integrity));
    const keep = ["PATH", "SYSTEMROOT", "LOCALAPPDATA", "TMPDIR", "TEMP"];
    const kept = keep.map((name) => [name, Deno.env.get(name) ?? ""]);
    this.#env = {
      ...Object.fromEntries(kept.filter(([, value]) => value !== "")),
      HOME: this.#dir.path,
      DENO_DIR: this.#dir.join("deno"),
      NPM_CONFIG_REGISTRY: registry,
      SSL_CERT_FILE: this.#dir.write("authority.pem", authority),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...env,
    };
  }

  async run(
    task: string,
    env: Record<string, string> = {},
  ): Promise<Ended> {
    return await endOf(
      new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", task],
        cwd: this.#dir.path,
        clearEnv: true,
        env: { ...this.#env, ...env },
      }),
    );
  }

  write(path: string, content: string): void {
    this.#dir.write(path, content);
  }

  /** Forgets everything that was downloaded. */
  emptyDenoDir(): void {
    Deno.removeSync(this.#dir.join("deno"), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** What the tasks take from the product. */
const TAKEN = ["debug_signal", "libc", "try_to"]
  .map((name) => `sync/host/${name}.ts`);

const FILES = {
  ...Object.fromEntries(
    TAKEN.map((path) => [path, Deno.readTextFileSync(projectPath(path))]),
  ),
  "deno.json": JSON.stringify({
    tasks: JSON.parse(Deno.readTextFileSync(projectPath("deno.json"))).tasks,
    nodeModulesDir: "none",
  }),
  "deno.lock": JSON.stringify({ version: "5" }),
  "scripts/npm/import_map.json": JSON.stringify({
    imports: { greeting: "npm:greeting@1.0.0" },
  }),
  "main.ts": 'import greeting from "greeting"; console.log(greeting);',
  "tests/scripts/dependencies_test.ts":
    'import greeting from "greeting"; Deno.test(greeting, () => {});',
};

function lockOf(registry: string, integrity: string): string {
  // Where it is, Deno 2.4 does not make out by itself.
  const tarball = `${registry}greeting/-/greeting-1.0.0.tgz`;
  return JSON.stringify({
    version: "5",
    specifiers: { "npm:greeting@1.0.0": "1.0.0" },
    npm: { "greeting@1.0.0": { integrity, tarball } },
  });
}

Deno.test("a task downloads from a registry whose authority only the system knows, and that breaks connections", async () => {
  for (const toBreak of [2, 20]) {
    await using registry = await NpmRegistry.start({ toBreak });
    await using project = new Project(registry.url, registry);
    const { code, stdout, stderr } = await project.run("agent");
    assertEquals([code, stdout], [0, "hello\n"], stderr);
    assertEquals(
      stderr,
      "Dependencies from npm (JARVIS_DEPS)\nDownloading the dependencies\n",
    );
    assertEquals(registry.toBreak, 0);
  }
});

Deno.test("a task that has all it needs asks no registry, and one with an empty DENO_DIR downloads again", async () => {
  await using registry = await NpmRegistry.start();
  // Whatever the machine reaches, this is how it gets to JSR.
  let probes = 0;
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refusing = (async () => {
    for await (const connection of proxy) {
      probes++;
      connection.close();
    }
  })();
  await using project = new Project(registry.url, registry, {
    HTTPS_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
    NO_PROXY: "127.0.0.1",
  });
  const said = "Dependencies from npm (JSR does not answer)\n";
  const first = await project.run("test");
  assertMatch(first.stdout, /\n1 passed, 0 failed\n$/);
  assertMatch(first.stderr, new RegExp(`${RegExp.escape(said)}Downloading`));
  const asked = [probes, registry.requests.length];
  const second = await project.run("agent");
  assertEquals(second, { code: 0, stdout: "hello\n", stderr: said });
  assertEquals([probes, registry.requests.length], asked);
  project.emptyDenoDir();
  assertMatch((await project.run("agent")).stderr, /Downloading/);
  assertEquals(
    [probes, registry.requests.length],
    asked.map((count) => 2 * count),
  );
  proxy.close();
  await refusing;
});

Deno.test("a task that cannot download ends by itself, with one line that says what to do", async () => {
  using gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = gone.addr;
  gone.close();
  // Takes connections, and never says anything.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using strange = await NpmRegistry.start();
  const registries: [url: string, reason: RegExp, store: string][] = [
    [`https://127.0.0.1:${port}/`, /refused/, "mozilla,system"],
    [`https://127.0.0.1:${silent.addr.port}/`, /no answer/, "mozilla,system"],
    // The system knows its authority, but the user wants no other than these.
    [strange.url, /UnknownIssuer/, "mozilla"],
  ];
  await Promise.all(registries.map(async ([url, reason, store]) => {
    await using project = new Project(url, strange);
    const env = { DENO_TLS_CA_STORE: store };
    const { code, stdout, stderr } = await project.run("demo", env);
    const [, announced, failed, ...more] = stderr.split("\n");
    assertEquals(announced, "Downloading the dependencies");
    const start = `Cannot download the dependencies from "${url}greeting`;
    assertStringIncludes(failed!, start);
    assertMatch(failed!, reason);
    const remedies =
      `network, DENO_TLS_CA_STORE .*"${store}".* JARVIS_DEPS=jsr`;
    assertMatch(failed!, new RegExp(remedies));
    assertEquals([code, stdout, more], [1, "", [""]]);
  }));
  assertEquals(strange.requests, []);
});

Deno.test("deno task itself needs no network, whatever the dependencies are", async () => {
  await using project = new Project("https://127.0.0.1:1/");
  for (const name of ["deno.json", "deno.lock"]) {
    project.write(name, Deno.readTextFileSync(projectPath(name)));
  }
  project.write("scripts/task.ts", 'console.log("begun");');
  const { code, stdout, stderr } = await project.run("fetch");
  assertEquals([code, stdout, stderr], [0, "begun\n", ""]);
});

Deno.test("a lock file that does not fit is told in Deno's words, at once and without a backtrace", async () => {
  await using registry = await NpmRegistry.start();
  await using project = new Project(registry.url, registry);
  await project.run("fetch");
  project.write("scripts/npm/deno.lock", '{"version":"5"}');
  const { code, stderr } = await project.run("agent");
  assertEquals(code, 1);
  assertMatch(stderr, /lockfile is out of date/);
  assertEquals(stderr.includes("backtrace"), false);
});

function serve(handler: () => Response): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
}

function urlOf(server: { addr: Deno.NetAddr }): string {
  return `http://127.0.0.1:${server.addr.port}/`;
}

Deno.test("probe() takes JSR where a package's description comes", async () => {
  await using server = serve(() =>
    Response.json({ scope: "std", name: "path" })
  );
  assertEquals((await probe(urlOf(server))).binding, "jsr");
});

Deno.test("probe() takes npm where nobody listens", async () => {
  const server = serve(() => new Response());
  await server.shutdown();
  assertEquals((await probe(urlOf(server))).binding, "npm");
});

Deno.test("probe() takes npm where a login page answers for everything", async () => {
  await using server = serve(() => new Response("<html>Welcome</html>"));
  assertEquals((await probe(urlOf(server))).binding, "npm");
});

Deno.test("probe() takes npm where the server has an error of its own", async () => {
  await using server = serve(() =>
    Response.json({ name: "path" }, { status: 503 })
  );
  assertEquals((await probe(urlOf(server))).binding, "npm");
});

Deno.test("probe() takes npm where a connection is taken and never answered", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  const { binding } = await deadline(probe(url), HANGS_MS);
  using _connection = await accepting;
  assertEquals(binding, "npm");
});

Deno.test("probe() takes npm where an answer never ends", async () => {
  await using server = serve(() =>
    new Response(
      new ReadableStream({
        start: (stream) => stream.enqueue(new TextEncoder().encode("{")),
      }),
    )
  );
  const { binding } = await deadline(probe(urlOf(server)), HANGS_MS);
  assertEquals(binding, "npm");
});
