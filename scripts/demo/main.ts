/**
 * Shows captures reaching a server through an outage and crashes, with real
 * processes: `deno task demo [FOLDER]`.
 */

import { basename, join } from "@std/path";
import { format as formatBytes } from "@std/fmt/bytes";
import { DemoCaptures } from "./captures.ts";
import { DemoStage } from "./stage.ts";
import { compareEnds, type Verdict } from "./verdict.ts";

const USAGE = `Usage: deno task demo [FOLDER]

Delivers the files of FOLDER, or pictures that it draws, to a server on this
machine; more pictures follow while the server and the agent are killed. Works
on copies in a temporary folder, which is removed at the end.`;

const LARGE = { width: 1920, height: 1080 };
const MEDIUM = { width: 1280, height: 720 };
const SMALL = { width: 320, height: 200 };

/** Tells the story, and returns how it ended. */
async function tell(
  stage: DemoStage,
  folder: string | undefined,
): Promise<Verdict> {
  const captures = new DemoCaptures(stage.signal);
  if (folder === undefined) {
    stage.say("Drawing pictures into a folder");
    await captures.draw(stage.watched, [
      ...Array(10).fill(SMALL),
      ...Array(6).fill(MEDIUM),
      ...Array(4).fill(LARGE),
    ]);
  } else {
    stage.say(`Copying the files of "${folder}"`);
    await captures.copy(folder, stage.watched);
  }
  const size = formatBytes(captures.bytes);
  stage.say(`${captures.sent.length} captures are in the folder, ${size}`);

  stage.say(`The server starts: ${await stage.startServer()}`);
  const agent = await stage.startAgent();
  stage.say(`The agent starts, watching the folder (${agent})`);
  if (await stage.storedAll(captures.sent.length)) {
    stage.say(`All ${stage.stored} captures are delivered`);
    await outage(stage, captures);
    await recovery(stage, captures);
  }
  await stage.end();
  return await compare(stage, captures);
}

/** Captures come while first the server is dead, then the agent as well. */
async function outage(stage: DemoStage, captures: DemoCaptures): Promise<void> {
  stage.say("The server is killed");
  await stage.server?.kill("SIGKILL");
  const before = captures.sent.length;
  await handOver(stage, captures, "while the server is dead");
  await arrive(stage, captures, [SMALL, SMALL, SMALL, MEDIUM, MEDIUM, LARGE]);
  const { pending, failed } = await stage.statusWhere((status) =>
    status.server.state === "down" &&
    status.pending >= captures.sent.length - before
  );
  stage.say(
    `The agent knows that the server is down: ${pending} captures wait, ${failed} failed`,
  );

  stage.say("The agent is killed as well");
  await stage.agent?.kill("SIGKILL");
  await handOver(stage, captures, "while neither of them runs");
  await arrive(stage, captures, [SMALL, MEDIUM]);
  stage.say(`The agent starts again (${await stage.startAgent()})`);
}

/** The server comes back, and the agent dies once more, now amid its uploads. */
async function recovery(
  stage: DemoStage,
  captures: DemoCaptures,
): Promise<void> {
  const server = await stage.startServer(["--latency", "1000"]);
  stage.say(`The server returns, a second late with each answer: ${server}`);
  await stage.statusWhere(({ pending, uploading }) =>
    uploading > 0 || pending === 0
  );
  stage.say("The agent is killed amid its uploads");
  await stage.agent?.kill("SIGKILL");
  stage.say(`The agent starts again (${await stage.startAgent()})`);
  if (!await stage.storedAll(captures.sent.length)) return;
  const { delivered, failed } = await stage.statusWhere(
    ({ pending, uploading }) => pending + uploading === 0,
  );
  stage.say(
    `The agent is done: ${delivered} captures delivered, ${failed} failed`,
  );
  if (stage.known > 0) {
    stage.say(`Sent twice because of the crashes, stored once: ${stage.known}`);
  }
}

/** Hands pictures over with the CLI, after which they may be deleted, and are. */
async function handOver(
  stage: DemoStage,
  captures: DemoCaptures,
  when: string,
): Promise<void> {
  const paths = await captures.draw(stage.drawn, [SMALL, MEDIUM]);
  await stage.enqueue(paths, ["kind=screenshot", `taken=${when}`]);
  for (const path of paths) await Deno.remove(path);
  stage.say(
    `${paths.length} captures are handed over with "enqueue" and deleted, ${when}`,
  );
}

/** Draws pictures elsewhere, and moves them into the watched folder when they are done. */
async function arrive(
  stage: DemoStage,
  captures: DemoCaptures,
  pictures: typeof SMALL[],
): Promise<void> {
  for (const path of await captures.draw(stage.drawn, pictures)) {
    await Deno.rename(path, join(stage.watched, basename(path)));
  }
  stage.say(`${pictures.length} captures arrive in the folder`);
}

/** Compares the captures handed over with those that arrived. */
async function compare(
  stage: DemoStage,
  { sent }: DemoCaptures,
): Promise<Verdict> {
  stage.say("Comparing both ends, byte for byte (SHA-256)");
  const verdict = await compareEnds(sent, stage.received);
  const { delivered, lost, duplicated } = verdict;
  for (const name of lost) stage.say(`Lost: "${name}"`);
  for (const name of duplicated) stage.say(`Duplicated: "${name}"`);
  console.log(
    `DELIVERED ${delivered} of ${sent.length}, ${lost.length} lost, ${duplicated.length} duplicated`,
  );
  return verdict;
}

async function main(args: string[]): Promise<number> {
  const [folder, ...more] = args;
  if (folder === "--help" || folder === "-h") {
    console.log(USAGE);
    return 0;
  }
  const isFolder = folder === undefined ||
    await Deno.stat(folder).then((info) => info.isDirectory, () => false);
  if (!isFolder || more.length > 0) {
    console.error(
      `Cannot use "${args.at(-1)}": expected one folder or nothing`,
    );
    return 2;
  }
  // Everything here is on this machine; a proxy would not find it.
  for (const name of ["NO_PROXY", "no_proxy"]) Deno.env.set(name, "127.0.0.1");
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error("Interrupted"));
  const others = ["SIGTERM", "SIGHUP"] as const;
  for (const signal of Deno.build.os === "windows" ? [] : others) {
    Deno.addSignalListener(signal, stop);
  }
  Deno.addSignalListener("SIGINT", stop);
  try {
    await using stage = new DemoStage(stopping.signal);
    const { lost, duplicated } = await tell(stage, folder);
    return lost.length + duplicated.length > 0 ? 1 : 0;
  } catch (error) {
    const { aborted, reason } = stopping.signal;
    console.error((aborted ? reason : error as Error).message);
    return aborted ? 130 : 1;
  }
}

Deno.exit(await main(Deno.args));
