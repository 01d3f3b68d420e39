import { assert, assertEquals, assertMatch } from "@std/assert";
import { exists } from "../../../sync/host/files.ts";
import type { Sample } from "../../../sync/queue/queue.ts";
import { CaptureServer } from "../../helpers/capture_server.ts";
import { type RunningCli, startCli } from "../../helpers/cli.ts";
import { eventually } from "../../helpers/eventually.ts";
import { Host } from "../../helpers/host.ts";
import { attributesOf, decodeOtlp } from "../../helpers/otlp_schema.ts";

const ignore = Deno.build.os === "windows";

/** Where the agent shows how it goes. */
async function shownAt(agent: RunningCli): Promise<string> {
  await agent.said("Showing how it goes on ");
  return /Showing how it goes on (http:\S+)\//.exec(agent.stderr)![1]!;
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

/** Takes what is posted to it. */
class Receiver implements AsyncDisposable {
  readonly posts: { path: string; headers: Headers; body: string }[] = [];
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname: path } = new URL(request.url);
      const { headers } = request;
      this.posts.push({ path, headers, body: await request.text() });
      return new Response(null, { status: 200 });
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test(
  "run --listen shows the page, the status, the last day, metrics and health",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.startAgent("--listen", "127.0.0.1:0");
    const at = await shownAt(agent);
    await host.enqueue(host.write("a.png", "12345"));
    const metrics = await eventually("it is counted", async () => {
      const { text } = await get(`${at}/metrics`);
      return text.includes('captures{status="delivered"} 1') ? text : undefined;
    });
    assertMatch(
      metrics,
      /^jarvis_agent_attempts_total{outcome="delivered"} 1$/m,
    );
    assertMatch(metrics, /^jarvis_agent_delivered_bytes_total 5$/m);
    assertEquals(
      await get(`${at}/healthz`),
      { status: 200, text: "everything is delivered\n" },
    );
    assertEquals(
      JSON.parse((await get(`${at}/status.json`)).text).delivered,
      1,
    );
    assertMatch((await get(`${at}/`)).text, /^<!DOCTYPE html>/);
    const day: Sample[] = JSON.parse(
      (await get(`${at}/history.json`)).text,
    );
    assertEquals(day.at(-1)!.delivered, 1);
  },
);

Deno.test(
  "the last day is kept in the queue across restarts, and one row counts what was delivered",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await host.run("enqueue", host.write("a.png"));
    const before = Date.now() - 3_600_000;
    {
      using queue = host.queue();
      queue.addSample({
        timeMs: before - 86_400_000,
        waiting: 1,
        delivered: 1,
      });
      queue.addSample({ timeMs: before, waiting: 7, delivered: 3 });
    }
    await using agent = await host.startAgent("--listen", "0");
    const at = await shownAt(agent);
    const day: Sample[] = JSON.parse(
      (await get(`${at}/history.json`)).text,
    );
    assertEquals(day[0], { timeMs: before, waiting: 7, delivered: 3 });
    assert(day.length >= 2);
  },
);

Deno.test("--listen takes only addresses of this machine, unless told otherwise", async () => {
  await using host = new Host("http://127.0.0.1:9");
  for (const address of ["0.0.0.0:0", "[::]:9464", "192.0.2.1:80"]) {
    const { code, stderr } = await host.run("run", "--listen", address);
    assertEquals(code, 2);
    assertMatch(stderr, /--listen-anywhere/);
  }
  const { code } = await host.run("run", "--listen", "127.0.0.1:99999");
  assertEquals(code, 2);
});

Deno.test(
  "a port that is taken holds up no delivery, and is taken once it is free",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    await using agent = host.start("run", "--listen", `127.0.0.1:${port}`);
    await agent.said("Cannot show the page, will try again: Cannot listen on");
    await host.enqueue(host.write("a.png"));
    await eventually("it arrives", () => server.uploads.length === 1);
    taken.close();
    await agent.said("Showing how it goes");
  },
);

Deno.test(
  "--metrics-file is readable by collectors, and follows no link that was planted under its temporary name",
  { ignore },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const file = host.join("jarvis.prom");
    const precious = host.write("precious");
    Deno.chmodSync(precious, 0o600);
    // The process keeps its id when it becomes the agent.
    await using _agent = startCli(["run", "--metrics-file", file], {
      env: host.env,
      through: [
        ...[
          "sh",
          "-c",
          'f="$1" p="$2"; shift 2; ln -s "$p" "$f.$$.tmp"; exec "$@"',
        ],
        ...["sh", file, precious],
      ],
    });
    await eventually("it is written", () => exists(file));
    const text = Deno.readTextFileSync(file);
    assertMatch(text, /^jarvis_agent_build_info{version="[^]*\n$/m);
    assertEquals(Deno.statSync(file).mode! & 0o777, 0o644);
    assertEquals(Deno.readTextFileSync(precious), "precious");
    assertEquals(Deno.statSync(precious).mode! & 0o777, 0o600);
  },
);

Deno.test(
  "a heartbeat that is never answered holds up neither deliveries nor the end",
  { ignore },
  async () => {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = silent.accept();
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const url = `http://127.0.0.1:${silent.addr.port}/ping`;
    await using agent = await host.startAgent("--heartbeat-url", url);
    using _connection = await accepted;
    await host.enqueue(host.write("a.png"));
    await eventually("it arrives", () => server.uploads.length === 1);
    const { stderr } = await agent.stop();
    // It was under way until then.
    assert(!stderr.includes("did not answer in time"), stderr);
  },
);

Deno.test("--heartbeat-url is pinged while all is well, and only then", {
  ignore,
}, async () => {
  await using receiver = new Receiver();
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const url = `${receiver.url}/ping/secret`;
  await using _agent = await host.startAgent("--heartbeat-url", url);
  await eventually("it is pinged", () => receiver.posts.length === 1);
  assertEquals(receiver.posts[0]!.path, "/ping/secret");

  await using other = new Host(server.url);
  await other.enqueue(other.write("a.png"));
  using queue = other.queue();
  queue.complete([{
    id: queue.claim(1)[0]!.id,
    kind: "discard",
    error: "HTTP 422",
  }]);
  await using unwell = await other.startAgent(
    "--heartbeat-url",
    url,
    "--listen",
    "0",
  );
  await get(`${await shownAt(unwell)}/healthz`);
  assertEquals(receiver.posts.length, 1);
});

Deno.test("a heartbeat that is not taken is told without its address, once", {
  ignore,
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const url = "http://127.0.0.1:9/ping/secret";
  await using agent = await host.startAgent("--heartbeat-url", url);
  await agent.said(
    "Cannot send the heartbeat, will try again: 127.0.0.1:9 cannot be reached",
  );
  assertEquals(agent.stderr.includes("secret"), false);
});

Deno.test(
  "a heartbeat or metrics in plain http to another machine are said in the log",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    const secrets = { OTEL_EXPORTER_OTLP_HEADERS: "x-key=secret" };
    const away = "http://away.invalid:1/secret";
    const here = "http://localhost:9/secret";
    const addresses: [string, RegExp][] = [
      [
        away,
        /to http:\/\/away\.invalid:1 in plain http:\/\/, readable by every/g,
      ],
      [here, /plain http/g],
    ];
    for (const [url, warning] of addresses) {
      const env = { ...secrets, OTEL_EXPORTER_OTLP_ENDPOINT: url };
      await using host = new Host(server.url, env);
      await using agent = await host.startAgent("--heartbeat-url", url);
      await agent.said("Cannot send the heartbeat");
      await agent.said("Cannot push the metrics");
      const count = url === away ? 2 : 0;
      assertEquals(
        agent.stderr.match(warning)?.length ?? 0,
        count,
        agent.stderr,
      );
      assertEquals(agent.stderr.includes("secret"), false, agent.stderr);
    }
  },
);

Deno.test("a heartbeat that is redirected goes nowhere else", {
  ignore,
}, async () => {
  await using elsewhere = new Receiver();
  await using redirecting = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => Response.redirect(`${elsewhere.url}/taken`, 307),
  );
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const url = `http://127.0.0.1:${redirecting.addr.port}/ping`;
  await using agent = await host.startAgent("--heartbeat-url", url);
  await agent.said("answered HTTP 307");
  assertEquals(elsewhere.posts, []);
});

Deno.test("metrics are pushed by OTLP to where OpenTelemetry's variables say", {
  ignore,
}, async () => {
  await using receiver = new Receiver();
  await using server = new CaptureServer();
  await using host = new Host(server.url, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/otlp/`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b,x-other=1",
    OTEL_RESOURCE_ATTRIBUTES: "site=north",
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
  });
  await host.enqueue(host.write("a.png", "12345"));
  await using _agent = await host.startAgent();
  const deliveredBytes = (body: string) => {
    const { scopeMetrics } = decodeOtlp(body).resourceMetrics[0]!;
    return scopeMetrics[0]!.metrics
      .find(({ name }) => name === "jarvis_agent_delivered_bytes_total")!
      .data.value.dataPoints[0]?.value.value;
  };
  const { path, headers, body } = await eventually(
    "the delivery is pushed",
    () => receiver.posts.find(({ body }) => deliveredBytes(body) === 5),
  );
  assertEquals(path, "/otlp/v1/metrics");
  assertEquals(headers.get("x-key"), "a b");
  assertEquals(headers.get("content-type"), "application/json");
  const { resource } = decodeOtlp(body).resourceMetrics[0]!;
  const attributes = attributesOf(resource);
  assertEquals(attributes["service.name"], "jarvis-agent");
  assertEquals(attributes.site, "north");
  assertEquals(attributes["host.name"], Deno.hostname());
});

Deno.test("a page and metrics that cannot be shown are told by status, until they can", async () => {
  await using host = new Host("http://127.0.0.1:9");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const file = host.join("there/jarvis.prom");
  await using _agent = await host.startAgent(
    ...[`--listen=127.0.0.1:${port}`, `--metrics-file=${file}`],
  );
  const told = async () => (await host.status()).advice.join("\n");
  await eventually("both are told", async () => {
    const advice = await told();
    return advice.includes("Cannot show the page") &&
      advice.includes(`Cannot write "${file}"`);
  });
  // It is tried again every ten and fifteen seconds.
  taken.close();
  await eventually(
    "the page is shown",
    async () => !(await told()).includes("Cannot show the page"),
  );
});
