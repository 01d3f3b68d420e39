import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import type { RunningCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";
import { CAN_GIVE_AWAY, neighboursLink } from "../helpers/neighbour.ts";

/** The names in a folder, sorted. */
function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

Deno.test("run --watch delivers what is in a folder and what comes, with sidecars, and nothing twice after a restart", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  host.write("in/deep/before.png");
  host.write("in/deep/before.png.json", '{"door": 3}');
  {
    await using agent = await host.watch();
    host.write('in/caf\u00e9 "\u{1f4f7}"\n.png', "x");
    await eventually("both arrive", () => server.uploads.length === 2);
    await agent.stop();
  }
  await using agent = await host.watch();
  host.write("in/after.png");
  await eventually("it arrives", () => server.names.includes("after.png"));
  await agent.stop();
  const sent = server.uploads.map(({ metadata }) => metadata.filename);
  assertEquals(sent.sort(), [
    "after.png",
    "before.png",
    'caf\u00e9 "\u{1f4f7}"\n.png',
  ]);
  const before = server.uploads.find(({ filename }) => filename[0] === "b");
  assertEquals(before!.metadata.door, 3);
  assertEquals(names(host.join("in")).length, 3);
});

Deno.test("run --watch takes several folders, from a variable too", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const dirs = ["one", "two"].map((name) => host.makeDir(name));
  host.env.JARVIS_WATCH = dirs.join(Deno.build.os === "windows" ? ";" : ":");
  host.env.JARVIS_SETTLE = "0.1";
  await using _agent = await host.startAgent();
  for (const name of ["one/a.png", "two/b.png"]) host.write(name);
  await eventually("both arrive", () => server.uploads.length === 2);
});

Deno.test("--after-upload delete deletes a file with its sidecar once it is delivered, and not before", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.delivery;
  await using _agent = await host.watch("--after-upload=delete");
  host.write("in/a.png");
  host.write("in/a.png.json", "{}");
  await eventually("it is being sent", () => server.inFlight === 1);
  assertEquals(names(host.join("in")), ["a.png", "a.png.json"]);
  held.release();
  await eventually("both go", () => names(host.join("in")).length === 0);
  assertEquals((await host.json<{ delivered: number }>("status")).delivered, 1);
});

Deno.test("--after-upload keeps a file that was refused, or changed while it was sent", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = async (upload) => {
    if (upload.filename === "bad.png") return new Response("", { status: 422 });
    // The second one of this name is the changed one: it is never answered.
    if (server.uploads.length > 2) await held.released;
    // A rename leaves what is being sent as it was.
    host.write("in/.new", "changed meanwhile");
    Deno.renameSync(host.join("in/.new"), host.join("in/a.png"));
    return created(upload);
  };
  await using agent = await host.watch("--after-upload=delete", "--grace=0");
  host.write("in/bad.png");
  await eventually("one is refused", () => server.uploads.length === 1);
  host.write("in/a.png");
  await eventually("the changed one is sent", () => server.uploads.length >= 3);
  await agent.stop();
  assertEquals(names(host.join("in")), ["a.png", "bad.png"]);
  assertEquals(
    Deno.readTextFileSync(host.join("in/a.png")),
    "changed meanwhile",
  );
});

Deno.test("--after-upload tidies up at the next start what a crash left", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  host.write("in/a.png");
  {
    // As if it had crashed between the delivery and tidying up.
    await using agent = await host.watch();
    await eventually("it arrives", () => server.uploads.length === 1);
    await agent.stop();
  }
  const done = host.join("done");
  await using _agent = await host.watch(`--after-upload=move:${done}`);
  await eventually("it goes", () => names(host.join("in")).length === 0);
  assertEquals(names(done), ["a.png"]);
  assertEquals(server.uploads.length, 1);
});

Deno.test("--after-upload leaves a file where it is that cannot be moved, and says so", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const done = host.makeDir("done");
  await using agent = await host.watch(`--after-upload=move:${done}/below`);
  // Not a folder any more.
  host.write("done/below", "");
  host.write("in/a.png");
  await agent.said(
    `Cannot move "${host.join("in/a.png")}", which is delivered`,
  );
  assertEquals(names(host.join("in")), ["a.png"]);
});

Deno.test("a watched file that is to be deleted is kept by a copy while the server is away", async () => {
  await using host = new Host(deadUrl());
  {
    await using agent = await host.watch("--after-upload=delete");
    host.write("in/a.png", "bytes");
    using queue = host.queue();
    await eventually("it is queued", () => queue.getStats().pending === 1);
    await agent.stop();
  }
  Deno.removeSync(host.join("in/a.png"));
  await using server = new CaptureServer();
  const { code } = await host.run("sync", "--server", server.url);
  assertEquals(code, 0);
  assertEquals(new TextDecoder().decode(server.uploads[0]!.bytes), "bytes");
});

Deno.test("run --watch takes only what --include, --exclude and sizes let through", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const names = ["a.png", "b.jpg", "small.png", "raw/c.png", "kept/d.png"];
  for (const name of names) {
    host.write(`in/${name}`, name === "small.png" ? "x" : "x".repeat(2000));
  }
  const filter = ["--include=*.png", "--exclude=raw", "--min-size=1K"];
  await using agent = await host.watch(...filter);
  await eventually("two arrive", () => server.names.length >= 2);
  await agent.stop();
  assertEquals(server.names.sort(), ["a.png", "d.png"]);
});

Deno.test("run --dry-run lists what would be taken and why not the rest, and makes nothing", async () => {
  await using host = new Host(deadUrl());
  for (
    const name of [
      ...["a.png", "a.png.json", "b.jpg", ".hidden", "big.png", "sub/c.png"],
      ...["alone.png.json", "download.png.part", "old.png", "raw/d.png"],
      ...["described.png", "described.png.json", "film.mkv", "film.mkv.aria2"],
    ]
  ) host.write(`in/${name}`, "x".repeat(name === "big.png" ? 9 : 1));
  const dir = host.join("in");
  const soon = new Date(Date.now() + 60_000);
  for (const name of ["new.png", "old.png.json"]) {
    Deno.utimeSync(host.write(`in/${name}`, "x"), soon, soon);
  }
  Deno.symlinkSync(`${dir}/a.png`, `${dir}/link.png`);
  Deno.linkSync(`${dir}/a.png`, `${dir}/same.png`);
  const writers = ["sub/c.png", "described.png.json"]
    .map((name) => Deno.openSync(`${dir}/${name}`, { append: true }));
  const { code, stdout, stderr } = await host.run(
    ...["run", "--dry-run", "--watch", dir, "--watch", host.join("later")],
    ...["--exclude=raw", "--exclude=*.jpg", "--max-size=8", "--settle=0"],
  );
  writers.forEach((file) => file.close());
  assertEquals([code, stderr], [0, ""]);
  const linux = Deno.build.os === "linux";
  assertEquals(
    stdout.trimEnd().split("\n").sort(),
    [
      `${linux ? 1 : 3} would be taken now, ${linux ? 6 : 4} later, 11 not`,
      `later  ${dir}/alone.png.json: waits for its capture "alone.png"`,
      `later  ${dir}/film.mkv: waits for "film.mkv.aria2" to go`,
      `later  ${dir}/new.png: it has changed just now`,
      `later  ${dir}/old.png: its sidecar has changed just now`,
      `later  Cannot find the folder "${host.join("later")}", waiting for it`,
      `pass   ${dir}/.hidden: hidden`,
      `pass   ${dir}/a.png.json: the metadata of "a.png"`,
      `pass   ${dir}/b.jpg: excluded by "*.jpg"`,
      `pass   ${dir}/big.png: larger than 8 bytes`,
      `pass   ${dir}/described.png.json: the metadata of "described.png"`,
      `pass   ${dir}/download.png.part: named like a file that is not finished`,
      `pass   ${dir}/film.mkv.aria2: named like a file that is not finished`,
      `pass   ${dir}/link.png: a symbolic link`,
      `pass   ${dir}/old.png.json: the metadata of "old.png"`,
      `pass   ${dir}/raw: excluded by "raw"`,
      `pass   ${dir}/same.png: another name of "${dir}/a.png"`,
      `take   ${dir}/a.png`,
      ...linux
        ? [
          `later  ${dir}/described.png: somebody has its metadata open for writing`,
          `later  ${dir}/sub/c.png: somebody has it open for writing`,
        ]
        : [`take   ${dir}/described.png`, `take   ${dir}/sub/c.png`],
    ].sort(),
  );
  assert(!names(host.join(".")).includes("data"));
});

Deno.test("run --dry-run takes a copy that kept the time of its original for new, as run does", async () => {
  await using host = new Host(deadUrl());
  Deno.utimeSync(host.write("in/a.png"), 0, 0);
  const dir = host.join("in");
  const { stdout } = await host.run("run", "--dry-run", "--watch", dir);
  assertStringIncludes(
    stdout,
    `later  ${dir}/a.png: it has changed just now\n0 would be taken now, 1 later, 0 not\n`,
  );
});

Deno.test("run --dry-run compares content in doubt, and records nothing of what it finds", async () => {
  await using host = new Host(deadUrl());
  const dir = host.join("in");
  const [small, large] = [
    host.write("in/small.png", "x"),
    host.write("in/large.png", "xx"),
  ];
  await using agent = await host.watch("--copy-up-to=1");
  const paths = () => {
    using queue = host.queue();
    return queue.getPending().map(({ filepath }) => filepath).sort();
  };
  await eventually("both are queued", () => paths().length === 2);
  await agent.stop();
  Deno.utimeSync(small, 0, 0);
  Deno.renameSync(large, `${dir}/renamed.png`);
  const { stdout } = await host.run(
    ...["run", "--dry-run", "--settle=0", "--watch", dir],
  );
  assertEquals(stdout.trimEnd().split("\n").sort(), [
    "0 would be taken now, 0 later, 2 not",
    `pass   ${dir}/renamed.png: queued before`,
    `pass   ${small}: queued before`,
  ]);
  assertEquals(paths(), [large, small]);
});

Deno.test({
  name: "run --dry-run looks into folders at any depth with few open files",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using host = new Host(deadUrl());
    const path = host.write(`in/${"d/".repeat(200)}a.png`);
    const { stdout } = await host.inShell(
      'ulimit -n 100; exec "$@"',
      ...["run", "--dry-run", "--settle=0", "--watch", host.join("in")],
    );
    assertEquals(
      stdout,
      `take   ${path}\n1 would be taken now, 0 later, 0 not\n`,
    );
  },
});

Deno.test("run forgets old deliveries, but not of files that are still there, or may be", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const paths = ["stays.png", "goes.png"].map((name) =>
    host.write(`in/${name}`)
  );
  const files = paths.map((path) => {
    using file = openRegularFile(path);
    return { path, identity: file.identity };
  });
  const known = () => {
    using queue = host.queue();
    return queue.knownWatched(files).map((state) => state ?? "forgotten");
  };
  const away = host.join("away");
  for (
    const [meanwhile, expected] of [
      [() => {}, ["delivered", "delivered"]],
      [() => Deno.renameSync(host.join("in"), away), [
        "delivered",
        "delivered",
      ]],
      [() => {
        Deno.removeSync(host.join("in"), { recursive: true });
        Deno.renameSync(away, host.join("in"));
        Deno.removeSync(paths[1]!);
      }, ["delivered", "forgotten"]],
    ] as const
  ) {
    meanwhile();
    await using agent = await host.watch("--keep-history=0");
    await eventually(`they are ${expected}`, () => {
      return server.uploads.length === 2 && `${known()}` === `${expected}`;
    });
    await agent.stop();
    assertEquals(known(), [...expected]);
  }
});

Deno.test("run waits for a folder that is missing, and delivers meanwhile what others queue", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const dir = host.join("later");
  await using agent = await host.startAgent("--watch", dir, "--settle=0.1");
  await agent.said(`"${dir}"`);
  await host.enqueue(host.write("queued.png"));
  await eventually("it arrives", () => server.names.length === 1);
  host.write("later/a.png");
  await eventually("it is delivered", () => server.names.includes("a.png"));
  await agent.stop();
});

Deno.test("run refuses folders that it must not watch, and says which", async () => {
  await using host = new Host(deadUrl());
  host.makeDir("data/in");
  const cases = [
    ["missing", "expected a folder, or the absolute path of one that will"],
    [host.write("file"), "expected a folder, not a file"],
    [host.join("data/in"), "expected a folder apart from the data directory"],
    [host.join("."), "expected a folder apart from the data directory"],
  ];
  for (const [dir, expected] of cases) {
    const { code, stderr } = await host.run("run", "--watch", dir!);
    assertEquals(code, 2);
    assertStringIncludes(stderr, `Cannot use --watch "${dir}": ${expected}`);
    assert(stderr.includes('Try "jarvis-agent run --help".'));
  }
});

for (
  const [afterUpload, left] of [
    ["keep", [
      "kept.png",
      "kept.png.json",
      "late.png",
      "late.png.json",
      "taken.png.json",
    ]],
    ["delete", ["late.png.json"]],
  ] as const
) {
  Deno.test(`a sidecar that comes while its capture is sent is reported and stays, one whose capture was taken away goes as it would with it (${afterUpload})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.delivery;
    const dir = host.makeDir("watched");
    const write = (name: string, text = name) =>
      host.write(`watched/${name}`, text);
    for (const name of ["kept.png", "taken.png"]) {
      write(`${name}.json`, `{"of": "${name}"}`);
      write(name);
    }
    write("late.png");
    await using agent = host.start(
      ...["run", "--watch", dir, "--after-upload", afterUpload],
      ...["--settle", "100ms"],
    );
    await eventually("all are sent", () => server.uploads.length === 3);
    write("late.png.json", '{"of": "late.png"}');
    Deno.removeSync(`${dir}/taken.png`);
    held.release();
    await agent.said(
      'late.png.json" came or changed when its capture had been',
    );
    const advice = /not sent: .*?"(jarvis-agent .*?)"/.exec(agent.stderr)![1]!;
    await eventually(
      "the others are gone",
      () => [...Deno.readDirSync(dir)].length === left.length,
    );
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
    assertEquals(names.sort(), [...left]);
    assertEquals(agent.stderr.match(/came or changed/g)?.length, 1);
    // What is advised can be done.
    const paths = { SIDECAR: "late.png.json", CAPTURE: "late.png" };
    const args = advice.split(" ").slice(1).map((arg) =>
      arg in paths ? `${dir}/${paths[arg as keyof typeof paths]}` : arg
    );
    const { code, stdout } = await host.run(...args);
    assertEquals(code, 0);
    if (afterUpload === "delete") {
      return assertStringIncludes(stdout, "server-");
    }
    await eventually("it is sent anew", () => server.uploads.length === 4);
    assertEquals(server.uploads[3]!.metadata.of, "late.png");
  });
}

Deno.test("a sidecar that comes after the delivery of a capture that stays is reported once, usable or not, whenever it comes", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const late = (agent: RunningCli) =>
    [...agent.stderr.matchAll(/(\w+\.png)\.json" came or changed/g)]
      .map(([, name]) => name).sort();
  const names = ["before.png", "during.png", "after.png", "broken.png"];
  {
    await using agent = await host.watch();
    host.write("in/before.png.json", "{}");
    names.forEach((name) => host.write(`in/${name}`));
    await eventually("all arrive", () => server.uploads.length === 4);
    await eventually("all are recorded", async () => {
      return (await host.status()).delivered === 4;
    });
    host.write("in/during.png.json", '{"door": 3}');
    host.write("in/broken.png.json", '{"door');
    await eventually("both are said", () => late(agent).length >= 2);
    assertEquals(late(agent), ["broken.png", "during.png"]);
    await agent.stop();
  }
  // Touched, it is what was sent.
  host.write("in/before.png.json", "{}");
  host.write("in/after.png.json", '{"door": 4}');
  for (const expected of [["after.png", "mark1.png"], ["mark2.png"]]) {
    await using agent = await host.watch();
    const mark = expected.at(-1)!;
    host.write(`in/${mark}.json`, "{}");
    host.write(`in/${mark}`);
    await agent.said(`"${mark}" (`);
    host.write(`in/${mark}.json`, '{"door": 5}');
    await eventually(
      "those that came later are said",
      () => late(agent).length >= expected.length,
    );
    assertEquals(late(agent), expected);
    await agent.stop();
  }
});

Deno.test("a capture that is written over in place, then its sidecar, is sent with it, and nothing is said", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const versions = [1, 2, 3];
  versions.forEach((n) => host.write(`in/mark${n}.png`));
  await using agent = await host.watch();
  const recorded = (count: number) =>
    eventually("all are recorded", async () => {
      return (await host.status()).delivered === count;
    });
  await recorded(versions.length);
  for (const n of versions) {
    host.write("in/z.png", `version ${n}`);
    host.write("in/z.png.json", `{"n": ${n}}`);
    await recorded(versions.length + n);
    // What is said of this one is said after what would be said of that one.
    host.write(`in/mark${n}.png.json`, "{}");
    host.write(`in/mark${n}.png.json`, `{"n": ${n}}`);
    await agent.said(`mark${n}.png.json" came or changed`);
  }
  assertEquals(
    server.uploads.slice(versions.length).map(({ bytes, metadata }) => [
      new TextDecoder().decode(bytes),
      metadata.n,
    ]),
    versions.map((n) => [`version ${n}`, n]),
  );
  assert(!agent.stderr.includes('z.png.json" came'), agent.stderr);
});

for (const afterUpload of ["keep", "delete"]) {
  Deno.test({
    name:
      `a sidecar that comes soon after the delivery of its capture is reported once and stays, the next version goes without it (${afterUpload})`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url);
      const dir = host.makeDir("in");
      await using agent = await host.startAgent(
        ...["--watch", dir, "--settle", "2", "--after-upload", afterUpload],
      );
      await agent.said("Watching");
      const publish = (name: string, text: string) => {
        Deno.renameSync(host.write("in/.new", text), `${dir}/${name}`);
      };
      // Files without sidecars are waited for no longer than this one.
      publish("other.png", "other");
      await eventually("it arrives", () => server.uploads.length === 1);
      publish("a.png", "first");
      await eventually("it arrives", () => server.uploads.length === 2);
      publish("a.png.json", '{"door": 1}');
      await agent.said('a.png.json" came or changed');
      publish("a.png", "second");
      await eventually("it arrives", () => server.uploads.length === 3);
      publish("last.png", "last");
      await eventually("it arrives", () => server.uploads.length === 4);
      await agent.stop();
      assertEquals(server.uploads.map(({ metadata }) => metadata.door), [
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
      assertEquals(agent.stderr.match(/ warn /g)?.length, 1, agent.stderr);
      assert(names(dir).includes("a.png.json"));
    },
  });
}

Deno.test(
  "run names those folders as watched that are, and one that was refused once it is",
  {
    ignore: !CAN_GIVE_AWAY,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const [good, refused] = [host.makeDir("good"), host.join("refused")];
    neighboursLink(host.makeDir("elsewhere"), refused);
    const watch = [good, refused, host.join("missing")].join(":");
    host.env.JARVIS_WATCH = watch;
    await using agent = await host.startAgent("--settle=0.1");
    await agent.said(`Cannot watch "${refused}", waiting: `);
    await agent.said(`Watching "${good}"`);
    host.write("good/a.png");
    await eventually("it arrives", () => server.uploads.length === 1);
    const watched = () => agent.stderr.match(/(?<=Watching ").*(?=")/g);
    assertEquals(watched(), [good]);
    Deno.removeSync(refused);
    Deno.mkdirSync(refused);
    await agent.said(`Watching "${refused}"`);
    await agent.stop();
    assertEquals(watched(), [good, refused]);
  },
);
