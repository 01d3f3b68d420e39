/** Everything that shows how the agent is doing, held against each other. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Finding } from "../../sync/monitor/finding.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { NotifySocket } from "../helpers/notify_socket.ts";

/** As advice has it, without how much the disk has left, which others use too. */
const line = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}`
    .replace(/has \S+ \S+ left/, "has little left");

/** Fails unless all outputs say what `status --json` does; returns its advice. */
async function assertAgreed(host: Host, at: string, manager: NotifySocket) {
  const report = await host.json<StatusReport>("status");
  const { level, text } = report.verdict;
  const advice = report.advice.map(line);
  assertEquals(level === "ok", advice.length === 0, text);

  const { stdout } = await host.run("status");
  const marked = [...stdout.matchAll(/^! (.*)$/gm)].map(([, text]) => text!);
  assertEquals(marked.map(line), advice);
  const check = await host.run("status", "--check");
  assertEquals(check.stdout, `${level}: ${text}\n`);
  assertEquals(check.code, ["ok", "warning", "failure"].indexOf(level));

  const page: StatusReport = await (await fetch(`${at}/status.json`)).json();
  assertEquals(page.verdict, report.verdict);
  assertEquals(page.advice.map(line), advice);
  const health = await fetch(`${at}/healthz`);
  assertEquals(health.status, level === "failure" ? 503 : 200);
  assertEquals(await health.text(), `${text}\n`);
  const metrics = await (await fetch(`${at}/metrics`)).text();
  assertStringIncludes(metrics, `\njarvis_agent_problems ${advice.length}\n`);

  await eventually("the service manager is told the same", () => {
    const told = manager.lines.findLast((line) => line.startsWith("STATUS="))!;
    if (level === "ok") return told === `STATUS=${text}`;
    const parts = told.slice("STATUS=".length).split("; ").map(line);
    return parts.length === advice.length &&
      advice.every((text, n) => text.startsWith(`${parts[n]}: `));
  });

  const doctor = await host.run("doctor", "--json");
  const found: Finding[] = JSON.parse(doctor.stdout);
  const wrong = found.filter(({ level }) => level !== "ok");
  const failed = wrong.filter(({ level }) => level === "failure");
  assertEquals(doctor.code, failed.length > 0 ? 1 : 0);
  const said = wrong.map(({ text, remedy }) => line(`${text}: ${remedy}`));
  // It tries server and folders itself, and says what it meets, if anything.
  const tried = advice.filter((text) => !said.includes(text));
  const subjects = failed.map(({ what }) => what);
  for (const text of tried) {
    const [, subject] = /^The (?:watched )?(server|folder) /.exec(text) ?? [];
    assert(subjects.includes(subject!), text);
  }
  if (level === "ok") assertEquals(wrong, []);
  return advice;
}

Deno.test(
  "status, --check, doctor, page, health, metrics and the service manager say the same",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using manager = new NotifySocket();
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const folder = host.makeDir("captures");
    const token = host.write("token", "wrong");
    host.env.JARVIS_ENV_FILE = host.write(
      "agent.env",
      `JARVIS_WATCH=${folder}\nJARVIS_TOKEN_FILE=${token}\n`,
    );
    for (const name of ["token", "agent.env"]) {
      Deno.chmodSync(host.join(name), 0o600);
    }
    const start = async () => {
      host.env.NOTIFY_SOCKET = manager.path;
      const agent = await host.startAgent("--listen", "0");
      delete host.env.NOTIFY_SOCKET;
      await agent.said("Showing how it goes");
      return { agent, at: /(http:\/\/127[^/]+)\//.exec(agent.stderr)![1]! };
    };
    {
      const { agent, at } = await start();
      await using _agent = agent;
      assertEquals(await assertAgreed(host, at, manager), []);

      server.answer = () => new Response("no", { status: 422 });
      await host.enqueue(host.write("a.png"));
      await eventually(
        "it fails",
        async () => (await host.status()).failed > 0,
      );
      const lax = await host.run("status", "--check", "--max-failed", "1");
      assertEquals([lax.code, lax.stdout], [
        0,
        "ok: everything is delivered\n",
      ]);
      host.write("data/queue.db.corrupt-20260102", "");
      host.write("data/spool/orphans/x", "");
      assertEquals((await assertAgreed(host, at, manager)).length, 3);
      await host.run("pause");
      assertEquals((await assertAgreed(host, at, manager)).length, 4);
      await host.run("resume");
    }
    server.answer = () => new Response("", { status: 401 });
    await host.enqueue(host.write("b.png"));
    host.env.JARVIS_MIN_FREE_BYTES = "900000G";
    Deno.removeSync(folder);
    const { agent, at } = await start();
    await using _agent = agent;
    await eventually("it has seen all", async () => {
      const { server, folders } = await host.status();
      return server.state === "paused" &&
        folders[0]?.watchedBy === "missing";
    });
    const advice = await assertAgreed(host, at, manager);
    assertEquals(advice.length, 6);
    assertStringIncludes(advice[0]!, `put a valid token into ${token}; `);
  },
);
