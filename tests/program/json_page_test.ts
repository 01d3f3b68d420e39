/** The page about JSON, docs/json.md, held against what the program prints. */

import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { reportWith } from "../helpers/status_report.ts";

type Keys = Map<string, Set<string>>;

const page = Deno.readTextFileSync(projectPath("docs/json.md"));

/** The part of the page below a heading. */
function section(title: string): string {
  const part = page.split(/^## /m).find((part) =>
    part.startsWith(`${title}\n`)
  );
  assert(part, `the page has "${title}"`);
  return part;
}

/** The keys that a section has, each with its types. */
function documented(title: string): Keys {
  const rows = section(title).matchAll(
    /^\| `([^`]+)` +\| ([a-z]+(?: or null)?) +\|/gm,
  );
  return new Map(
    [...rows].map(([, key, types]) => [key!, new Set(types!.split(" or "))]),
  );
}

/** Adds the keys of a value, at any depth, each with the type that it has. */
function collect(value: object, keys: Keys, prefix = ""): Keys {
  for (const [name, inner] of Object.entries(value)) {
    const key = Array.isArray(value)
      ? `${prefix}[]`
      : `${prefix && `${prefix}.`}${name}`;
    const isObject = typeof inner === "object" && inner !== null;
    if (!Array.isArray(value) || !isObject) {
      keys.set(key, (keys.get(key) ?? new Set()).add(typeOf(inner)));
    }
    if (isObject && key !== "metadata") collect(inner, keys, key);
  }
  return keys;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value !== "string") return typeof value;
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? "time" : "text";
}

/** Fails unless the section has the keys of these values, and no other. */
function assertDocumented(
  title: string,
  values: object[],
  more: Keys = new Map(),
): void {
  const known = new Map([...more, ...documented(title)]);
  const found: Keys = new Map();
  for (const value of values) collect(value, found);
  assertEquals(
    [...found.keys()].toSorted(),
    [...known.keys()].toSorted(),
    title,
  );
  for (const [key, types] of found) {
    const allowed = known.get(key)!;
    const others = allowed.has("any") ? [] : [...types.difference(allowed)];
    assertEquals(others, [], `${title}: the type of ${key}`);
  }
}

const lines = (text: string) =>
  text.trim().split("\n").map((line) => JSON.parse(line));

/** A report that has everything. */
const fullReport = reportWith({
  rate: { capturesPerSecond: 1, bytesPerSecond: 1, secondsLeft: 1 },
  failedByReason: [{ reason: "no", count: 1 }],
  paused: { since: "2026-01-02T03:04:05.000Z", until: null },
  schedule: { text: "Sat", open: true, since: null, until: null },
  bandwidth: { text: "2M", bytesPerSecond: 2_097_152, until: null },
  service: { state: "active", reason: null },
  folders: [{
    path: "/x",
    watchedBy: "events",
    reason: null,
    unreadable: 1,
    firstUnreadable: { path: "/x/a.png", reason: "permission denied" },
    remaining: 1,
    firstRemaining: { path: "/x/b.png", reason: "permission denied" },
  }],
  database: { setAside: ["queue.db.corrupt-20260102"] },
  advice: ["do"],
});

Deno.test("the page about JSON has the keys of every command's output, and no other", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const file = (name: string) => host.write(name);
  const run = (...args: string[]) => runInProcess(args, host.env);
  const json = async <T extends object>(...args: string[]): Promise<T> =>
    JSON.parse((await run(...args, "--json")).stdout);

  const uploaded = [await run("upload", "--json", file("a.png"))];
  await run("enqueue", file("e.png"));
  await run("sync");
  server.answer = () => new Response("too large", { status: 413 });
  const queued = await run("enqueue", "--json", file("b.png"));
  const synced = [await json("sync")];
  server.ready = false;
  server.answer = () => new Response("down", { status: 500 });
  await run("enqueue", file("c.png"));
  uploaded.push(await run("upload", "--json", file("d.png")));
  assertDocumented("`enqueue --json`", lines(queued.stdout));
  assertDocumented(
    "`upload --json`",
    uploaded.flatMap(({ stdout }) => lines(stdout)),
  );
  assertDocumented("`sync --json`", synced);

  const captures = await json<{ id: string }[]>("list");
  assertEquals(captures.length, 3);
  assertDocumented("`list --json`", captures);
  assertDocumented(
    "`list --group reason --json`",
    await json<object[]>("list", "--group", "reason"),
  );
  const history = await json<{ id: string }[]>("history");
  assertEquals(history.length, 1);
  assertDocumented("`history --json`", history);
  const show = ({ id }: { id: string }) => json("show", id);
  const queuedKeys = documented("`list --json`");
  assertDocumented(
    "`show --json`",
    await Promise.all(captures.map(show)),
    queuedKeys,
  );
  const [delivered] = await Promise.all(history.map(show));
  const shown = documented("`show --json`");
  for (const key of ["watched", "next"]) shown.delete(key);
  const deliveredKeys = [
    ...shown.keys(),
    ...documented("`history --json`").keys(),
    "status",
  ];
  assertEquals(
    [...collect(delivered!, new Map()).keys()].toSorted(),
    [...new Set(deliveredKeys)].toSorted(),
  );
  assertDocumented("`doctor --json`", await json<object[]>("doctor"));
  assertDocumented("`config --json`", await json<object[]>("config"));
  const status = await json<StatusReport>("status");
  assertDocumented("`status --json`", [status, fullReport]);
});

Deno.test(
  "the page about JSON has the keys and the events of the log, and no other",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    host.env.JARVIS_ENV_FILE = host.write("agent.env", "");
    Deno.chmodSync(host.env.JARVIS_ENV_FILE, 0o600);
    await using agent = await host.startAgent(
      "--log-format",
      "json",
      "--listen",
      "0",
    );
    const answers: [Response, string][] = [
      [Response.json({ id: 1 }, { status: 201 }), "delivered"],
      [new Response(null, { status: 409 }), "postponed"],
      [new Response(null, { status: 422 }), "failed"],
      [new Response(null, { status: 500 }), "outage"],
    ];
    for (const [answer, event] of answers) {
      server.answer = () => answer.clone();
      server.ready = event !== "outage";
      await host.enqueue(host.write(`${event}.png`));
      await agent.said(`"event":"${event}"`);
    }
    server.ready = true;
    server.answer = () => answers[0]![0].clone();
    await agent.said('"event":"recovered"');
    host.write("agent.env", "JARVIS_CONCURRENCY=many");
    agent.kill("SIGHUP");
    await agent.said('"event":"reload_refused"');
    const port = /127\.0\.0\.1:(\d+)/.exec(agent.stderr)![1];
    const points = await eventually("a point of the last day", async () => {
      const response = await fetch(`http://127.0.0.1:${port}/history.json`);
      const points: object[] = await response.json();
      return points.length > 0 ? points : undefined;
    });
    assertDocumented("`/history.json`", points);

    const { stderr } = await agent.stop();
    const logged: { event: string }[] = lines(stderr);
    const title = "Log lines with `--log-format json`";
    const events = section(title).split("| event").at(-1)!.matchAll(
      /^\| `(\w+)`/gm,
    );
    assertEquals(
      [...events].map(([, event]) => event).toSorted(),
      [...new Set(logged.map(({ event }) => event))].toSorted(),
    );
    assertDocumented(title, logged);
  },
);
