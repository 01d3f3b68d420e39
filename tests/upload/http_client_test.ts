import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { idleExceptions } from "../../sync/upload/proxy.ts";
import { delivered, ScriptedServer } from "../helpers/scripted_server.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { uploadAside } from "../helpers/upload_aside.ts";

Deno.test("captures and token for this machine go to no proxy, those for others do", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "private");
  await using server = new ScriptedServer(delivered);
  await using proxy = new ScriptedServer(delivered);
  const { port } = new URL(server.url);
  const env: Record<string, string> = { NO_PROXY: "elsewhere.invalid" };
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
    env[name] = env[name.toLowerCase()] = proxy.url;
  }
  const reached = ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"];
  // Nothing listens there.
  const others = ["127.8.8.8", "[::1]", "[::]", "[::ffff:127.8.8.8]"];
  const hosts = [...reached, ...others];
  const local = hosts.map((host) => `http://${host}:${port}`);
  const secure = hosts.map((host) => `https://${host}:${port}`);
  const results = await uploadAside(path, [...local, ...secure], env);
  const taken = results.filter(({ success }) => success);
  assertEquals([taken.length, proxy.accepted], [reached.length, 0]);

  const away = ["http://captures.localhost", "http://captures.invalid"];
  const proxied = await uploadAside(path, [local[0]!, ...away], env);
  assertEquals(proxied.map(({ success }) => success), [true, true, true]);
  assertEquals(proxy.requests.at(-1)!.path, `${away[1]}/api/captures`);
});

Deno.test("what is said of NO_PROXY's entries is what the runtime makes of them", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "private");
  await using proxy = new ScriptedServer(delivered);
  const HTTP_PROXY = proxy.url;
  const name = "http://a.captures.invalid";
  const idle = [
    ...["*.invalid", "*captures.invalid", "A.Captures.invalid", "invalid."],
    ...[
      "a.captures.invalid:80",
      name,
      "foo a.captures.invalid",
      "a.captures.*",
    ],
    ...["203.0.113.7:80", "203.0.113.*", "203.0.113", "[2001:db8::7]"],
  ];
  const addresses = ["http://203.0.113.7", "http://[2001:db8::7]"];
  const urls = [name, ...addresses];
  const passed = await uploadAside(path, urls, {
    HTTP_PROXY,
    NO_PROXY: idle.join(),
  });
  assertEquals(passed.map(({ success }) => success), [true, true, true]);
  const used = [".invalid", "203.0.113.0/24", "2001:db8::/32", "10.0.0.1", "*"];
  for (const NO_PROXY of [used[0]!, "*"]) {
    const [result] = await uploadAside(path, [name], { HTTP_PROXY, NO_PROXY });
    assertEquals(result!.success, false, NO_PROXY);
  }
  using _set = withVariable("NO_PROXY", [...idle, ...used].join());
  assertEquals(idleExceptions(), { name: "NO_PROXY", entries: idle });
});

Deno.test("a proxy whose name cannot be found is named as one", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "private");
  const urls = ["http://captures.invalid"];
  const env = { HTTP_PROXY: "me:hush@direct.invalid", NO_PROXY: "" };
  const [proxied] = await uploadAside(path, urls, env);
  assertStringIncludes(
    proxied!.error!,
    'it may be "direct.invalid" that is not found, the proxy in HTTP_PROXY: see',
  );
});

/** Sets a variable of this process until it is disposed of. */
function withVariable(name: string, value: string): Disposable {
  const before = Deno.env.get(name);
  Deno.env.set(name, value);
  return {
    [Symbol.dispose]() {
      if (before === undefined) Deno.env.delete(name);
      else Deno.env.set(name, before);
    },
  };
}

Deno.test("an answer of a megabyte that inflates to a gigabyte takes no memory", async () => {
  await using dir = new TempDir();
  const path = dir.write("a.png", "private");
  const zeros = new Uint8Array(1024 * 1024);
  let left = 1000;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) =>
      left-- > 0 ? controller.enqueue(zeros) : controller.close(),
  });
  const inflating = source.pipeThrough(new CompressionStream("gzip"));
  const bytes = await new Response(inflating).bytes();
  // Small enough to be read in one piece.
  assert(bytes.length < 1024 * 1024);
  for (const status of [201, 500]) {
    await using server = new ScriptedServer(async (request) => {
      await request.skip();
      await request.send(
        `HTTP/1.1 ${status} Bomb\r\ncontent-type: application/json\r\n` +
          `content-encoding: gzip\r\ncontent-length: ${bytes.length}\r\n\r\n`,
      );
      await request.sendBytes(bytes);
    });
    const [result] = await uploadAside(path, [server.url]);
    const { success, error, grownBytes } = result!;
    assertEquals(success, false);
    assertStringIncludes(error!, `HTTP ${status}`);
    assert(grownBytes < 60_000_000, `${grownBytes} bytes`);
  }
});
