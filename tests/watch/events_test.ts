/** What is in a folder, or becomes of it, breaks no watching. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { OnceLog } from "../../sync/host/log.ts";
import { PortableEvents } from "../../sync/watch/folder_events.ts";
import { openFolder } from "../../sync/host/folder.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { eventually } from "../helpers/eventually.ts";
import { HAS_NAMESPACES, startWatchProcess } from "../helpers/watch_process.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

const ignore = Deno.build.os !== "linux";

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

/** How many folders this process has inotify watches on. */
function watches(): number {
  const texts = [...Deno.readDirSync("/proc/self/fdinfo")].map(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/self/fdinfo/${name}`);
    } catch {
      return "";
    }
  });
  return texts.join("").match(/^inotify wd:/gm)?.length ?? 0;
}

Deno.test({
  name: "a pipe, a hidden one, and links to pipes end no watching, nor its end",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    run("mkfifo", folder.join("before"));
    await folder.start();
    run("mkfifo", folder.join(".hidden"), folder.join("pipe"));
    run("mkfifo", folder.outside());
    Deno.symlinkSync(folder.outside(), folder.join("link"));
    run("touch", folder.join(".hidden"), folder.join("pipe"));
    folder.write("a.png");
    await folder.took("a.png");
    folder.write("b.png");
    await folder.took("a.png", "b.png");
    await folder.stop();
  },
});

Deno.test({
  name: "a link to / or /usr in a folder costs no watch",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    Deno.symlinkSync("/", folder.join("root"));
    await folder.start();
    const before = watches();
    Deno.symlinkSync("/usr", folder.join("usr"));
    folder.write("sub/a.png");
    await folder.took("sub/a.png");
    assertEquals(watches() - before, 1);
  },
});

Deno.test({
  name:
    "a folder that is closed to the agent is its own trouble, and said once",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    Deno.mkdirSync(folder.join("closed"), { mode: 0o000 });
    Deno.mkdirSync(folder.join("lost+found"), { mode: 0o000 });
    // A namespace's root is kept out of what belongs to nobody in it.
    const isRoot = Deno.uid() === 0;
    if (isRoot) run("chown", "-R", "65534", folder.path);
    if (isRoot) Deno.chmodSync(folder.path, 0o777);
    const through = isRoot ? ["unshare", "-Ur"] : [];
    await using agent = await startWatchProcess(folder.path, {
      through,
      rescanMs: 1_000,
    });
    folder.write("open/a.png");
    await agent.took("open/a.png");
    folder.write("open/b.png");
    await agent.took("open/b.png");
    const path = folder.join("closed");
    assertEquals(
      agent.stderr,
      `warn Cannot look through "${path}": Cannot open "closed": permission denied\n`,
    );
  },
});

Deno.test({
  name:
    "folders for which no watch is left are looked through, and what to do is said once",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    for (let i = 0; i < 9; i++) Deno.mkdirSync(folder.join(`${i}`));
    const limit = "echo 4 > /proc/sys/user/max_inotify_watches";
    await using agent = await startWatchProcess(folder.path, {
      through: ["unshare", "-Ur", "sh", "-c", `${limit} && exec "$0" "$@"`],
      pollMs: 100,
    });
    const names = Array.from({ length: 10 }, (_, i) => `${i}/new/a.png`);
    names.forEach((name) => folder.write(name));
    await agent.took(...names);
    for (const name of names) folder.write(name, "and in place");
    await eventually("all again", () => agent.names.length === 20);
    assertStringIncludes(agent.stderr, "raise fs.inotify.max_user_watches");
    assertEquals(agent.stderr.trim().split("\n").length, 1, agent.stderr);
  },
});

Deno.test({
  name: "what a container's file system does not tell is found within seconds",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    for (const name of ["lower", "upper", "work"]) {
      Deno.mkdirSync(folder.outside(name), { recursive: true });
    }
    const dirs = ["lower", "upper", "work"]
      .map((name) => `${name}dir=${folder.outside(name)}`).join();
    const mount = `mount -t overlay overlay -o ${dirs} ${folder.path}`;
    await using agent = await startWatchProcess(folder.path, {
      through: ["unshare", "-Urm", "sh", "-c", `${mount} && exec "$0" "$@"`],
      pollMs: 100,
    });
    folder.writeOutside("upper/a.png", "new");
    await agent.took("a.png");
    folder.writeOutside("upper/a.png", "grown in place");
    await eventually("it is taken again", () => agent.names.length === 2);
  },
});

Deno.test({
  name: "a mount that goes and comes back is watched again",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    const mount = `mount -t tmpfs none ${folder.path}`;
    await using agent = await startWatchProcess(folder.path, {
      through: ["unshare", "-Urm", "sh", "-c", `${mount} && exec "$0" "$@"`],
    });
    const within = (command: string) =>
      run(
        ...["nsenter", "-t", `${agent.pid}`, "-U", "-m"] as const,
        ...["--preserve-credentials", "sh", "-c", command],
      );
    within(`echo a > ${folder.path}/a.png`);
    await agent.took("a.png");
    within(`umount ${folder.path}`);
    within(`echo b > ${folder.path}/b.png`);
    await agent.took("b.png");
    within(mount);
    within(`echo c > ${folder.path}/c.png`);
    await agent.took("c.png");
    within(`echo d > ${folder.path}/d.png`);
    await agent.took("d.png");
  },
});

Deno.test({
  name: "a folder or file whose name is not UTF-8 is told of once, by name",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    const shell = (command: string) => run("sh", "-c", command, folder.path);
    const name = (prefix: string) => `"$0/$(printf '${prefix}\\377')"`;
    shell(`mkdir ${name("before")} && touch ${name("before")}/a.png`);
    await folder.start();
    shell(`mkdir ${name("after")} && touch ${name("after")}/a.png`);
    shell(`touch ${name("file")}; rm ${name("file")}; touch ${name("file")}`);
    folder.write("a.png");
    await folder.took("a.png");
    await eventually("all are said", () => folder.logged.length >= 3);
    folder.write("b.png");
    await folder.took("a.png", "b.png");
    assertEquals(
      folder.logged.sort(),
      ["after", "before", "file"].map((name) =>
        `warn Cannot read "${
          folder.join(name)
        }\ufffd": its name is not valid UTF-8; rename it to have it delivered`
      ),
    );
  },
});

Deno.test({
  name: "what comes while too much happens to be told of is found",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    await folder.start();
    const names = ["a", "b"].map((name) => folder.join(`.${name}`));
    folder.write(".a");
    // More than the system keeps while nobody reads: two events for each.
    for (let i = 0; i < 10_000; i++) {
      Deno.renameSync(names[i % 2]!, names[(i + 1) % 2]!);
    }
    folder.write("a.png");
    folder.write("sub/b.png");
    await folder.took("a.png", "sub/b.png");
  },
});

Deno.test("folders that are made and filled at once are watched from the first file on", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  const names: string[] = [];
  for (let i = 0; i < 100; i++) {
    const name = `${i % 7}/${i}/deep/er`;
    folder.write(`${name}/a.png`);
    names.push(`${name}/a.png`);
    if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  await folder.took(...names);
  for (let i = 0; i < 100; i++) {
    folder.write(`${i % 7}/${i}/deep/b.png`);
    names.push(`${i % 7}/${i}/deep/b.png`);
  }
  await folder.took(...names);
});

Deno.test("a folder that is renamed is watched by its new name, and not once it is moved out", async () => {
  await using folder = new WatchedFolder();
  folder.write("old/deep/a.png");
  await folder.start();
  await folder.took("old/deep/a.png");
  Deno.renameSync(folder.join("old"), folder.join("new"));
  folder.write("new/deep/b.png");
  await folder.took("old/deep/a.png", "new/deep/b.png");
  Deno.mkdirSync(folder.outside());
  Deno.renameSync(folder.join("new"), folder.outside("new"));
  folder.writeOutside("new/deep/c.png");
  folder.write("new/deep/d.png");
  await folder.took("old/deep/a.png", "new/deep/b.png", "new/deep/d.png");
});

Deno.test("a folder that goes and comes again and again is watched", async () => {
  await using folder = new WatchedFolder();
  await folder.start();
  for (let i = 0; i < 20; i++) {
    folder.write(`sub/deep/${i}.png`);
    if (i % 2 === 0) await eventually("it", () => folder.taken.length > i);
    Deno.renameSync(folder.join("sub"), folder.join(`.gone ${i}`));
    folder.write(`sub/deep/${i}b.png`);
    await eventually("it", () => folder.names.includes(`sub/deep/${i}b.png`));
    Deno.removeSync(folder.join("sub"), { recursive: true });
  }
});

Deno.test({
  name:
    "a tree is watched to its end, deeper than the longest path that the system takes",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    const name = "d".repeat(200);
    const deep = Array(15).fill(name).join("/");
    Deno.mkdirSync(folder.join(deep), { recursive: true });
    const more = Array(20).fill(name).join("/");
    run(
      "sh",
      "-c",
      `cd "$0" && for n in $(seq 20); do mkdir ${name} && cd -P ${name}; done && echo > b.png`,
      folder.join(deep),
    );
    assert(folder.join(deep, more).length > 4096);
    await folder.start({ rescanMs: 50 });
    folder.write(`${deep}/a.png`);
    await folder.took(`${deep}/a.png`, `${deep}/${more}/b.png`);
    assertEquals(folder.logged, []);
    run("rm", "-r", folder.path);
  },
});

Deno.test("events by what Deno has on every system say that something happened, and end at once", async () => {
  await using folder = new WatchedFolder();
  Deno.mkdirSync(folder.join("sub"));
  let lost = 0;
  const log = () => {};
  const events = new PortableEvents({
    onFile: () => {},
    onFileLeft: () => {},
    onFolder: () => {},
    onFolderLeft: () => {},
    onRootUnsure: () => {},
    onMounts: () => {},
    onLost: () => void lost++,
  }, new OnceLog(log));
  const place = { root: new WatchedRoot(folder.path, log), name: "" };
  using opened = openFolder(folder.path);
  assertEquals(events.watch(place, opened), 0);
  assertEquals(events.watch({ ...place, name: "sub" }, opened), 0);
  const stop = new AbortController();
  const running = events.run(stop.signal);
  folder.write("sub/a.png");
  await eventually("it is told", () => lost > 0);
  stop.abort();
  await running;
});
