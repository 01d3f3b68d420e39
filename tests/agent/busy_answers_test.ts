import { assert, assertEquals } from "@std/assert";
import type { SyncAgentOptions } from "../../sync/agent/agent_options.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import {
  CaptureServer,
  created,
  type SeenUpload,
} from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";

/** Longer than an hour, which is the most that is obeyed. */
const FOR_EVER = "99999999";
const HOUR_MS = 3_600_000;

function refuse(status: number, retryAfter = FOR_EVER): Response {
  return new Response(null, { status, headers: { "retry-after": retryAfter } });
}

/** Refuses captures whose name begins with "bad", and takes the others. */
function refuseBad(status: number, retryAfter = FOR_EVER) {
  return (upload: SeenUpload) =>
    isBad(upload.filename) ? refuse(status, retryAfter) : created(upload);
}

function isBad(name: string): boolean {
  return name.startsWith("bad");
}

/** So many names, of which those are bad that `isBadAt` says. */
function names(count: number, isBadAt: (n: number) => boolean): string[] {
  return Array.from(
    { length: count },
    (_, n) => `${isBadAt(n) ? "bad" : "good"}-${n}`,
  );
}

/** What the log says of an outage. */
function outagesIn({ logged }: AgentFixture): string[] {
  return logged.filter((line) => /cannot be used|usable again/.test(line));
}

const CONCURRENCIES: Pick<SyncAgentOptions, "concurrency">[] = [
  { concurrency: 1 },
  {},
];

for (const options of CONCURRENCIES) {
  const { concurrency = "several" } = options;
  for (const status of [408, 425, 429, 503]) {
    Deno.test(`One capture that is told by ${status} to come back in years stops no other, sent ${concurrency} at a time`, async () => {
      await using server = new CaptureServer();
      await using fixture = new AgentFixture(server.url);
      server.answer = refuseBad(status);
      const [bad] = fixture.enqueue(...names(12, (n) => n === 0));

      const report = await fixture.agent(options).runOnce();

      assertEquals(report, { delivered: 11, failed: 0, postponed: 1 });
      assertEquals(server.names.filter(isBad).length, 1);
      assertEquals(fixture.attempts([bad!]), [0]);
      assert(fixture.queue.nextDueMs()! > HOUR_MS - 60_000, "it waits itself");
      assertEquals(fixture.queue.getAgentState().serverState, "ready");
      assertEquals(outagesIn(fixture), []);
    });
  }

  for (
    const [where, isBadAt] of [
      ["first", (n: number) => n < 20],
      ["spread", (n: number) => n % 5 === 0],
      ["in the middle", (n: number) => n >= 40 && n < 60],
    ] as const
  ) {
    Deno.test(`Twenty captures of a hundred that are told to come back in years stop no other, ${where}, sent ${concurrency} at a time`, async () => {
      await using server = new CaptureServer();
      await using fixture = new AgentFixture(server.url);
      server.answer = refuseBad(503);
      fixture.enqueue(...names(100, isBadAt));

      const report = await fixture.agent(options).runOnce();

      assertEquals(report, { delivered: 80, failed: 0, postponed: 20 });
      assertEquals(server.uploads.length, 100);
      assertEquals(fixture.queue.getAgentState().serverState, "ready");
      assertEquals(outagesIn(fixture), []);
    });
  }

  Deno.test(`A server that tells all to come back in years is left alone after four of them, and one more than were in flight, sent ${concurrency} at a time`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.answer = () => refuse(429);
    fixture.enqueue(...names(100, () => false));

    await fixture.agent(options).runOnce();

    assertEquals(server.uploads.length, concurrency === 1 ? 4 : 4 + 1);
    const { serverState, serverReason } = fixture.queue.getAgentState();
    assertEquals([serverState, serverReason], [
      "paused",
      "HTTP 429 Too Many Requests",
    ]);
    assertEquals(outagesIn(fixture).length, 1);
    const single = fixture.logged.filter((line) => line.includes("again in"));
    assertEquals(single.length, concurrency === 1 ? 3 : 4);
  });
}

Deno.test("Captures that are refused again and again stop none that comes meanwhile", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = refuseBad(503, "600");
  fixture.enqueue(...names(12, (n) => n < 6));
  await using running = fixture.running();
  const refused = () => server.names.filter(isBad).length;
  const delivered = () => fixture.queue.getStats().delivered;
  await eventually("the good ones arrive", () => delivered() === 6);

  for (let again = 1; again <= 3; again++) {
    await eventually("each was refused", () => refused() === 6 * again);
    fixture.enqueue(`good too ${again}`);
    running.agent.wake();
    await eventually("another arrives", () => delivered() === 6 + again);
    assertEquals(fixture.throttle.server.state, "ready");
    fixture.aheadMs += 600_000;
    running.agent.wake();
  }
});

Deno.test("One capture that alone is refused again and again says nothing of the server", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = refuseBad(503, "600");
  fixture.enqueue("bad");
  await using running = fixture.running();
  for (let again = 1; again <= 6; again++) {
    await eventually("it was refused", () => server.uploads.length === again);
    await eventually("it waits", () => fixture.queue.nextDueMs() !== null);
    fixture.aheadMs += 600_000;
    running.agent.wake();
  }
  assertEquals(fixture.throttle.server.state, "unknown");
});

Deno.test("An upload that takes long does not keep the next one from showing whom a refusal means", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const held = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (upload.filename === "long") await held.promise;
    return refuseBad(429)(upload);
  };
  fixture.enqueue("long", "bad", ...names(10, () => false));
  await using _running = fixture.running();
  using _release = { [Symbol.dispose]: held.resolve };
  await eventually(
    "the others arrive",
    () => fixture.queue.getStats().delivered === 10,
  );
});
