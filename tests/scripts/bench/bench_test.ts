import { assert, assertEquals } from "@std/assert";
import { compileC, Receiver, run } from "../../../scripts/bench/children.ts";
import { EventQueue } from "../../../scripts/bench/fleet/event_queue.ts";
import { simulateFleet } from "../../../scripts/bench/fleet/simulation.ts";
import { runBench } from "../../../scripts/bench/main.ts";
import { formatTable, isReached } from "../../../scripts/bench/report.ts";
import { compare, median } from "../../../scripts/bench/rounds.ts";
import { SCALES } from "../../../scripts/bench/scale.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

Deno.test("the benchmark measures every point and writes table, JSON and charts", async () => {
  await using dir = new TempDir();
  const said: string[] = [];

  const table = await runBench({
    scale: SCALES.tiny,
    out: dir.path,
    tell: (line) => said.push(line),
  });

  const { findings, scale } = JSON.parse(
    await Deno.readTextFile(dir.join("results.json")),
  );
  assertEquals(scale, "tiny");
  const points: number[] = findings.map((f: { point: number }) => f.point);
  assertEquals([...new Set(points)], [1, 2, 3, 4, 5, 6, 7, 8]);
  for (const { what, value } of findings) {
    assert(table.includes(what), `the table lacks "${what}"`);
    assert(Number.isFinite(value), `"${what}" has no figure`);
  }
  for (const chart of ["draining", "latency", "fleet"]) {
    const svg = await Deno.readTextFile(dir.join(`${chart}.svg`));
    assert(/^<svg [^>]+>[^]+<\/svg>\n$/.test(svg), `${chart} is no SVG`);
    assert(!/NaN|undefined|Infinity/.test(svg), `${chart} has holes`);
  }
});

Deno.test("the benchmark names a peer that is not installed and goes on", async () => {
  await using dir = new TempDir();
  const said: string[] = [];

  const table = await runBench({
    scale: SCALES.tiny,
    only: ["1"],
    out: dir.path,
    python: "no-such-python",
    tell: (line) => said.push(line),
  });

  assert(said.some((line) => line.includes('"no-such-python"')));
  assert(!table.includes("first design"));
  assert(table.includes("the best bare fetch"));
});

const hasCompiler = await run("cc", ["--version"]).then(
  () => true,
  () => false,
);

for (const language of ["TypeScript", "C"]) {
  Deno.test({
    name:
      `the receiver in ${language} counts captures, holds them and takes "Expect"`,
    ignore: language === "C" && !hasCompiler,
    fn: async () => {
      await using dir = new TempDir();
      await using receiver = await Receiver.start(
        language === "C" ? await compileC(dir.path, "receiver.c") : undefined,
      );
      assertEquals((await receiver.take({ latencyMs: 30 })).captures, 0);

      const body = new Uint8Array(600_000);
      const statuses = await Promise.all([1, 2, 3].map(async () => {
        const response = await fetch(receiver.url, { method: "POST", body });
        await response.body?.cancel();
        return response.status;
      }));
      const { port } = new URL(receiver.url);
      using conn = await Deno.connect({ port: Number(port) });
      const write = (text: string) =>
        conn.write(new TextEncoder().encode(text));
      const read = async () => {
        const buffer = new Uint8Array(1000);
        const length = await conn.read(buffer) ?? 0;
        return new TextDecoder().decode(buffer.subarray(0, length));
      };
      await write(
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
      );
      const first = await read();
      await write("four");
      const second = await read();

      assertEquals(statuses, [201, 201, 201]);
      assert(first.startsWith("HTTP/1.1 100 "), first);
      assert(second.startsWith("HTTP/1.1 201 "), second);
      const { captures, bytes, heldMs, mostAtOnce } = await receiver.take();
      assertEquals([captures, bytes], [4, 1_800_004]);
      assert(heldMs >= 4 * 30, `held for ${heldMs} ms`);
      assert(mostAtOnce >= 1 && mostAtOnce <= 3, `${mostAtOnce} at once`);
      assertEquals((await receiver.take()).captures, 0);
    },
  });
}

Deno.test("compare() gives each contender one turn a round, beginning with another each time", async () => {
  const turns: string[] = [];
  const contender = (name: string, figures: number[]) => ({
    name,
    turn: () => {
      turns.push(name);
      return Promise.resolve(figures.shift()!);
    },
  });

  const medians = await compare([
    contender("a", [9, 1, 5]),
    contender("b", [2, 2, 8]),
  ], 3);

  assertEquals(turns, ["a", "b", "b", "a", "a", "b"]);
  assertEquals([...medians], [["a", 5], ["b", 2]]);
});

Deno.test("median() takes the middle, or the mean of the two in the middle", () => {
  assertEquals(median([10, 9, 1]), 9);
  assertEquals(median([1, 10, 2, 3]), 2.5);
});

Deno.test("the table says which targets are reached", () => {
  const finding = { point: 1, what: "speed", value: 2, unit: "×", detail: "" };

  assertEquals(isReached({ ...finding, atLeast: 2 }), true);
  assertEquals(isReached({ ...finding, atLeast: 2.1 }), false);
  assertEquals(isReached({ ...finding, atMost: 2 }), true);
  assertEquals(isReached({ ...finding, atMost: 1.9 }), false);
  assertEquals(isReached(finding), undefined);
  assert(formatTable([{ ...finding, atLeast: 8 }]).includes("SHORT"));
});

Deno.test("EventQueue gives events in the order of their time", () => {
  const events = new EventQueue();
  for (const atMs of [5, 3, 8, 1, 9, 2, 7, 1]) events.add(atMs, () => {});

  const times = Array.from({ length: 8 }, () => events.next()?.atMs);

  assertEquals(times, [1, 1, 2, 3, 5, 7, 8, 9]);
  assertEquals(events.next(), undefined);
});

Deno.test("the simulated server takes no more than its room, and all is delivered", () => {
  let state = 1;
  const report = simulateFleet({
    agents: 50,
    roomPerSecond: 3,
    outageSeconds: 120,
    captureEverySeconds: 60,
    answerSeconds: 0.05,
    concurrency: 4,
    random: () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647,
  });

  assertEquals(Math.max(...report.seconds.map(({ taken }) => taken)), 3);
  assert(report.seconds.every(({ asked, taken }) => asked >= taken));
  assert(Number.isFinite(report.deliveredAfter));
  assert(report.seconds.some(({ probes }) => probes > 0));
});

Deno.test("a fleet whose server is back after an hour asks for at most twice what it takes", () => {
  let state = 1;
  for (const retryAfterSeconds of [undefined, 5]) {
    const { mostAsked, deliveredAfter, idealSeconds } = simulateFleet({
      agents: 1000,
      roomPerSecond: 50,
      outageSeconds: 3600,
      captureEverySeconds: 60,
      answerSeconds: 0.05,
      concurrency: 32,
      random: () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
    assert(mostAsked <= 2 * 50, `asked for ${mostAsked} in a second`);
    assert(deliveredAfter <= 1.3 * idealSeconds, `took ${deliveredAfter} s`);
  }
});
