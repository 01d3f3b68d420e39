/** Watched files with several names, and what becomes of all of them. */
import { assertEquals } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import type { RunningCli } from "../helpers/cli.ts";
import { Host } from "../helpers/host.ts";

/** Waits until so many captures wait. */
async function waiting(host: Host, count: number): Promise<void> {
  await eventually(
    `${count} wait`,
    async () => (await host.status()).pending === count,
  );
}

/** Adds to the error of what is waited for what the agent has said. */
async function said(
  agent: RunningCli,
  waited: Promise<unknown>,
): Promise<void> {
  await waited.catch((cause) => {
    throw new Error(agent.stderr, { cause });
  });
}

for (const afterUpload of ["delete", "move"]) {
  Deno.test({
    name:
      `all names of a delivered file go, each with the sidecar that was sent with it (${afterUpload})`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url, { JARVIS_SETTLE: "0" });
      const dir = host.makeDir("in");
      const done = host.makeDir("done");
      const names = (path: string) =>
        [...Deno.readDirSync(path)].map(({ name }) => name).sort();
      const policy = afterUpload === "move" ? `move:${done}` : afterUpload;
      await using agent = await host.startAgent(
        ...["--watch", dir, "--after-upload", policy],
      );
      await agent.said("Watching");
      // Without sidecars, with one of its own for each, and with one for some; all of
      // them are there at once.
      const made = host.makeDir("made");
      host.write("made/plain1.png", "plain");
      Deno.linkSync(`${made}/plain1.png`, `${made}/plain2.png`);
      for (const [file, doors] of [["all", [1, 2, 3]], ["some", [0, 4]]]) {
        const first = host.write(`made/${file}0.png`, `bytes of ${file}`);
        for (const [n, door] of (doors as number[]).entries()) {
          if (n > 0) Deno.linkSync(first, `${made}/${file}${n}.png`);
          if (!door) continue;
          host.write(`made/${file}${n}.png.json`, `{"door": ${door}}`);
        }
      }
      Deno.renameSync(made, `${dir}/made`);
      await eventually(
        "all are gone",
        () => names(`${dir}/made`).length === 0,
      ).catch((error) => {
        const left = names(`${dir}/made`);
        throw new Error(`${left}\n${agent.stderr}`, { cause: error });
      });
      const sent = server.uploads.map(({ filename, metadata: { door } }) =>
        `${filename} ${door ?? ""}`
      ).sort();
      assertEquals(sent.slice(0, 3), [
        "all0.png 1",
        "all1.png 2",
        "all2.png 3",
      ]);
      // What had a sidecar went by its name, in any case.
      assertEquals(sent.includes("some1.png 4"), true, `${sent}`);
      // Names that come one after the other.
      const count = server.uploads.length;
      const kept = host.write("in/.kept", "bytes of seq");
      for (const n of [0, 1, 2]) {
        host.write(`in/seq${n}.png.json`, `{"door": ${n}}`);
        Deno.linkSync(kept, `${dir}/seq${n}.png`);
        await eventually(
          "its metadata arrive",
          () =>
            server.uploads.slice(count).some(({ metadata }) =>
              metadata.door === n
            ),
        );
      }
      Deno.removeSync(kept);
      await eventually(
        "these are gone too",
        () => names(dir).join() === "made",
      );
      // The next of a name has nothing of the last one's.
      host.write("in/made/all0.png", "another");
      await eventually("it arrives", () => {
        const last = server.uploads.at(-1)!;
        return last.filename === "all0.png" && !("door" in last.metadata);
      });
    },
  });
}

/** What a maker does with a capture that waits, with metadata of their own by each name. */
const CHANGES: Record<string, {
  act: (dir: string) => void;
  /** The doors that arrive. */
  sent: string[];
  limits?: string[];
}> = {
  "a second name, and the first one goes": {
    act: (dir) => {
      Deno.writeTextFileSync(`${dir}/b.png.json`, '{"door": 2}');
      Deno.linkSync(`${dir}/a.png`, `${dir}/b.png`);
      Deno.removeSync(`${dir}/a.png`);
    },
    sent: ["1", "2"],
  },
  "a new name that has metadata already": {
    act: (dir) => {
      Deno.writeTextFileSync(`${dir}/b.png.json`, '{"door": 2}');
      Deno.renameSync(`${dir}/a.png`, `${dir}/b.png`);
    },
    sent: ["1", "2"],
  },
  "a new name, and the metadata keep theirs": {
    act: (dir) => Deno.renameSync(`${dir}/a.png`, `${dir}/b.png`),
    sent: ["1"],
    // Of a capture without a copy only the new name is known.
    limits: ["8M"],
  },
  "a new name together with its metadata": {
    act: (dir) => {
      Deno.renameSync(`${dir}/a.png.json`, `${dir}/b.png.json`);
      Deno.renameSync(`${dir}/a.png`, `${dir}/b.png`);
    },
    sent: ["1"],
  },
};

for (const [change, { act, sent, limits }] of Object.entries(CHANGES)) {
  for (const limit of limits ?? ["8M", "0"]) {
    Deno.test({
      name:
        `metadata of a name arrive, and are no later capture's: ${change} (--copy-up-to=${limit})`,
      ignore: Deno.build.os === "windows",
      async fn() {
        await using server = new CaptureServer();
        await using host = new Host(server.url, { JARVIS_SETTLE: "0" });
        const dir = host.makeDir("in");
        const names = () => [...Deno.readDirSync(dir)].length;
        const doors = () =>
          server.uploads.map(({ metadata }) => `${metadata.door ?? ""}`);
        await using agent = await host.startAgent(
          ...["--watch", dir, "--after-upload=delete"],
          `--copy-up-to=${limit}`,
        );
        await agent.said("Watching");
        await host.run("pause");
        host.write("in/a.png.json", '{"door": 1}');
        host.write("in/a.png", "bytes");
        await waiting(host, 1);
        act(dir);
        await waiting(host, sent.length);
        await host.run("resume");
        await said(agent, eventually("all are gone", () => names() === 0));
        assertEquals(doors().sort(), sent);
        // A capture by each name has nothing of them.
        for (const name of ["a", "b"]) {
          const count = server.uploads.length;
          host.write(`in/${name}.png`, `another ${name}`);
          await eventually("it arrives", () => server.uploads.length > count);
        }
        assertEquals(doors().slice(sent.length), ["", ""]);
        assertEquals((await host.status()).failed, 0);
      },
    });
  }
}

for (const gone of ["a", "b"]) {
  Deno.test({
    name:
      `two captures of one file without a copy arrive though one of its names goes while they wait (${gone})`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url, { JARVIS_SETTLE: "0" });
      const dir = host.join("in");
      await using agent = await host.watch(
        ...["--after-upload=delete", "--copy-up-to=0"],
      );
      await host.run("pause");
      for (const name of ["a", "b"]) {
        host.write(`in/${name}.png.json`, `{"door": "${name}"}`);
        if (name === "a") host.write("in/a.png", "bytes");
        else Deno.linkSync(`${dir}/a.png`, `${dir}/b.png`);
        const count = name === "a" ? 1 : 2;
        await waiting(host, count);
      }
      Deno.removeSync(`${dir}/${gone}.png`);
      await host.run("resume");
      await said(
        agent,
        eventually("both arrive", () => server.uploads.length === 2),
      );
      const sent = server.uploads.map(({ metadata }) => metadata.door);
      assertEquals(sent.sort(), ["a", "b"]);
      await eventually("all go", () => [...Deno.readDirSync(dir)].length === 0);
    },
  });
}

Deno.test({
  name:
    "a file without a copy is sent by a name that was there before the one that it was taken by went",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0" });
    const dir = host.join("in");
    await using agent = await host.watch(
      ...["--after-upload=delete", "--copy-up-to=0"],
    );
    await host.run("pause");
    host.write("in/a.png", "bytes");
    await waiting(host, 1);
    Deno.linkSync(`${dir}/a.png`, `${dir}/b.png`);
    // Events come in order: once this one was taken, that one was looked at.
    host.write("in/later.png", "later");
    await waiting(host, 2);
    Deno.removeSync(`${dir}/a.png`);
    await host.run("resume");
    await said(
      agent,
      eventually("both arrive", () => server.uploads.length === 2),
    );
    await eventually("all go", () => [...Deno.readDirSync(dir)].length === 0);
    assertEquals((await host.status()).failed, 0);
  },
});

Deno.test({
  name:
    "names of a delivered file in other folders go soon, each with its sidecar",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0" });
    const dir = host.makeDir("in");
    const sub = host.makeDir("in/sub");
    const other = host.makeDir("other");
    await using agent = await host.startAgent(
      ...["--watch", dir, "--watch", other, "--after-upload=delete"],
    );
    await agent.said("Watching");
    await host.run("pause");
    host.write("in/sub/a.png.json", '{"door": 1}');
    host.write("in/sub/a.png", "bytes");
    await waiting(host, 1);
    for (const folder of [dir, other]) {
      for (const name of ["a.png.json", "a.png"]) {
        Deno.linkSync(`${sub}/${name}`, `${folder}/${name}`);
      }
    }
    await host.run("resume");
    const left = () =>
      [dir, sub, other].flatMap((path) => [
        ...Deno.readDirSync(path),
      ]).filter(({ isFile }) => isFile).length;
    await said(agent, eventually("all names go", () => left() === 0));
    assertEquals(server.uploads.length, 1);
  },
});
