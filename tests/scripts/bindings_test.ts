import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async/deadline";
import {
  bindingFlags,
  probe,
  projectPath,
} from "../../scripts/task/bindings.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Far longer than a probe may take: what takes longer hangs. */
const HANGS_MS = 60_000;

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

Deno.test("chooseBinding() remembers an answer, for those who may do with one", async () => {
  // Whatever the machine reaches, this is how it gets there.
  let asked = 0;
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refusing = (async () => {
    for await (const connection of proxy) {
      asked++;
      connection.close();
    }
  })();
  await using dir = new TempDir();
  const choose = dir.write(
    "choose.ts",
    `import { chooseBinding } from ${
      JSON.stringify(import.meta.resolve("../scripts/bindings.ts"))
    };
     const mayRemember = Deno.args[0] === "may";
     console.log((await chooseBinding({ mayRemember })).binding);`,
  );
  const run = async (arg: string): Promise<string> => {
    const { JARVIS_DEPS: _, JSR_URL: __, NO_PROXY: ___, ...env } = Deno.env
      .toObject();
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", "--no-lock", choose, arg],
      clearEnv: true,
      env: {
        ...env,
        DENO_DIR: dir.join("deno"),
        HTTPS_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
      },
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assertEquals([await run("may"), asked], ["npm", 1]);
  assertEquals([await run("may"), asked], ["npm", 1]);
  assertEquals([await run("must ask"), asked], ["npm", 2]);
  proxy.close();
  await refusing;
});

Deno.test("bindingFlags() let a program elsewhere find the dependencies", async () => {
  await using dir = new TempDir();
  const file = dir.write(
    "main.ts",
    'import { join } from "@std/path"; console.log(join("a", "b"));',
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      `--config=${projectPath("deno.json")}`,
      ...bindingFlags(),
      file,
    ],
    cwd: dir.path,
  }).output();
  assertStringIncludes(
    new TextDecoder().decode(stdout),
    "a",
    new TextDecoder().decode(stderr),
  );
});
