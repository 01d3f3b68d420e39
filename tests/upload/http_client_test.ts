import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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
