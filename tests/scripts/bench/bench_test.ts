import { assert, assertEquals, assertMatch } from "@std/assert";
import { simulateFleet } from "../../../scripts/bench/fleet_simulation.ts";
import { runBench } from "../../../scripts/bench/main.ts";
import { Receiver } from "../../../scripts/bench/programs.ts";
import { formatTable, isReached } from "../../../scripts/bench/report.ts";
import { compare, median } from "../../../scripts/bench/rounds.ts";
import { SCALES } from "../../../scripts/bench/scale.ts";
import { succeeds } from "../../helpers/has_program.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const hasCompiler = await succeeds("cc", ["--version"]);

Deno.test({
  name:
    "the benchmark measures every point, cold first, and goes on without a peer",
  ignore: !hasCompiler,
  fn: async () => {
    await using dir = new TempDir();
    const said: string[] = [];

    const table = await runBench({
      scale: SCALES.tiny,
      out: dir.path,
      python: "no-such-python",
      tell: (line) => said.push(line),
    });

    assert(said.some((line) => line.includes('"no-such-python"')));
    const text = await Deno.readTextFile(dir.join("results.json"));
    const { findings, scale } = JSON.parse(text);
    assertEquals(scale, "tiny");
    const points: string[] = findings.map((f: { point: string }) => f.point);
    assertEquals([...new Set(points)], [
      "cold",
      "warm",
      "latency",
      "large",
      "enqueue",
      "backlog",
      "idle",
      "fleet",
    ]);
    for (const { what, value } of findings) {
      assert(table.includes(what), `the table lacks "${what}"`);
      assert(Number.isFinite(value), `"${what}" has no figure`);
    }
    assertMatch(await Deno.readTextFile(dir.join("results.md")), /^\| cold, /m);
  },
});

Deno.test({
  name: 'the receiver counts captures, holds them and takes "Expect"',
  ignore: !hasCompiler,
  fn: async () => {
    await using dir = new TempDir();
    await using receiver = await Receiver.start(dir.path);
    assertEquals((await receiver.take({ latencyMs: 30 })).captures, 0);

    const body = new Uint8Array(600_000);
    const statuses = await Promise.all([1, 2, 3].map(async () => {
      const response = await fetch(receiver.url, { method: "POST", body });
      await response.body?.cancel();
      return response.status;
    }));
    using conn = await Deno.connect({
      port: Number(new URL(receiver.url).port),
    });
    const send = async (text: string) => {
      await conn.write(new TextEncoder().encode(text));
      const buffer = new Uint8Array(1000);
      const length = await conn.read(buffer) ?? 0;
      return new TextDecoder().decode(buffer.subarray(0, length));
    };
    const head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4";
    const first = await send(`${head}\r\n\r\n`);
    const second = await send("four");

    assertEquals(statuses, [201, 201, 201]);
    assertMatch(first, /^HTTP\/1.1 100 /);
    assertMatch(second, /^HTTP\/1.1 201 /);
    const { captures, heldMs } = await receiver.take();
    assertEquals(captures, 4);
    assert(heldMs >= 4 * 30, `held for ${heldMs} ms`);
    assertEquals((await receiver.take()).captures, 0);
  },
});

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
  const finding = { what: "speed", value: 2, unit: "×", detail: "" };

  assertEquals(isReached({ ...finding, atLeast: 2 }), true);
  assertEquals(isReached({ ...finding, atLeast: 2.1 }), false);
  assertEquals(isReached({ ...finding, atMost: 2 }), true);
  assertEquals(isReached({ ...finding, atMost: 1.9 }), false);
  assertEquals(isReached(finding), undefined);
  assertMatch(
    formatTable([{ ...finding, atLeast: 8 }]),
    /2 × .* ≥ 8 .* MISSED/,
  );
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
    retryAfterSeconds: null,
    random: () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647,
  });

  assertEquals(Math.max(...report.seconds.map(({ taken }) => taken)), 3);
  assert(report.seconds.every(({ asked, taken }) => asked >= taken));
  assert(Number.isFinite(report.deliveredAfter));
});

Deno.test("a fleet whose server is back after an hour asks for at most twice what it takes", () => {
  let state = 1;
  for (const retryAfterSeconds of [null, 5, 120]) {
    const { mostAsked, deliveredAfter, idealSeconds } = simulateFleet({
      agents: 1000,
      roomPerSecond: 50,
      outageSeconds: 3600,
      captureEverySeconds: 60,
      answerSeconds: 0.05,
      concurrency: 32,
      random: () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647,
      retryAfterSeconds,
    });
    assert(mostAsked <= 2 * 50, `asked for ${mostAsked} in a second`);
    assert(deliveredAfter <= 1.3 * idealSeconds, `took ${deliveredAfter} s`);
  }
});
