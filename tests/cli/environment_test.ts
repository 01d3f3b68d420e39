import { assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { CaptureServer } from "../helpers/capture_server.ts";
import { runCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

Deno.test(
  "a variable that is not UTF-8 is named, and its value is not repeated",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host("http://127.0.0.1:1");
    const set = 'name=$1; shift; export "$name=$(printf "SECRET\\351")"; "$@"';
    const cases = [
      ["JARVIS_TOKEN", "list"],
      ["JARVIS_DATA_DIR", "status"],
      ["JARVIS_LOG_FORMAT", "list"],
      ["XDG_CONFIG_HOME", "list"],
      ["JARVIS_HEARTBEAT_URL", "run"],
      ["OTEL_EXPORTER_OTLP_HEADERS", "run"],
      ["JOURNAL_STREAM", "run"],
      ["NOTIFY_SOCKET", "run"],
      ["NO_PROXY", "sync"],
      ["SSL_CERT_FILE", "sync"],
    ];
    for (const [name, command] of cases) {
      const { code, stdout, stderr } = await runCli([command!], {
        env: {
          ...host.env,
          OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        },
        through: ["sh", "-c", set, "sh", name!],
      });
      const said = `${name}\n${stdout}${stderr}`;
      assertEquals(code, 2, said);
      assertStringIncludes(
        stderr,
        `Cannot use the environment variable ${name}: expected UTF-8\n`,
      );
      assertEquals(said.includes("SECRET"), false, said);
    }
  },
);

Deno.test("a proxy that Deno would pass over is refused, and its password is not repeated", async () => {
  const unusable = [
    "http://me:hu^sh@127.0.0.1:1",
    "me:hu sh@127.0.0.1:1",
    "http://me:hu|sh@127.0.0.1:1",
    "http://me:hüsh@127.0.0.1:1",
    "http://me:hu/sh@127.0.0.1:1",
    "ftp://127.0.0.1:1",
    "http://127.0.0.1:99999",
  ];
  const usable = [
    "http://me:hu%5Esh!@127.0.0.1:1",
    "me:hush@127.0.0.1:1",
    "HTTP://[::1]:1/",
    "socks5://127.0.0.1:1",
    "",
  ];
  const url = "https://captures.invalid";
  for (const proxy of [...unusable, ...usable]) {
    const env = { HTTPS_PROXY: proxy };
    const { code, stderr } = await runCli(["check", "--server", url], { env });
    const isRefused = code === 2;
    assertEquals(isRefused, unusable.includes(proxy), `${proxy}: ${stderr}`);
    const why = "Cannot use the environment variable HTTPS_PROXY: expected an";
    assertEquals(stderr.includes(why), isRefused, stderr);
    assertEquals(/hu.+sh/.test(stderr), false, stderr);
  }
});

Deno.test("SIGUSR1 opens no debugger, and ends no agent", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent();
  // Deno begins to listen for it half a second after the start.
  for (let n = 0; n < 10; n++) {
    agent.kill("SIGUSR1");
    await delay(100);
  }
  await host.enqueue(host.write("a.png"));
  await eventually("it arrives", () => server.uploads.length === 1);
  assertEquals((await agent.stop()).stderr.includes("Debugger"), false);
});
