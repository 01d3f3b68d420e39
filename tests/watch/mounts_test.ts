/** What is mounted below a watched folder: no event of a folder tells of it. */
import { assert, assertEquals } from "@std/assert";
import { mountsIn } from "../../sync/host/mounts.ts";
import { CaptureFilter } from "../../sync/watch/capture_filter.ts";
import { MountChanges } from "../../sync/watch/mount_changes.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import {
  HAS_NAMESPACES,
  startWatchProcess,
  type WatchProcess,
} from "../helpers/watch_process.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** Runs a command where an agent runs, which has mounts of its own. */
function runBeside(agent: WatchProcess, command: string): void {
  const { success, stderr } = new Deno.Command("nsenter", {
    args: [
      ...["-t", `${agent.pid}`, "-U", "-m", "--preserve-credentials"],
      ...["sh", "-c", command],
    ],
  }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

function start(folder: WatchedFolder): Promise<WatchProcess> {
  return startWatchProcess(folder.path, { through: ["unshare", "-Urm"] });
}

Deno.test({
  name:
    "a disk that is mounted below a watched folder is looked through at once, whatever its name, and each time",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    const card = folder.join("CARD 1");
    folder.writeOutside("card/DCIM/a.png");
    await using agent = await start(folder);
    const within = (command: string) => runBeside(agent, command);
    // As a volume manager does: the folder was looked into before.
    within(`mkdir "${card}"; touch "${card}/before.png"`);
    await agent.took("CARD 1/before.png");
    const mount = `mount --bind ${folder.outside("card")} "${card}"`;
    within(mount);
    await agent.took("CARD 1/DCIM/a.png");
    within(`touch "${card}/DCIM/b.png"`);
    await agent.took("CARD 1/DCIM/b.png");
    within(`umount "${card}"; touch "${card}/empty.png"`);
    await agent.took("CARD 1/empty.png");
    folder.writeOutside("card/DCIM/c.png");
    within(mount);
    await agent.took("CARD 1/DCIM/c.png");
  },
});

Deno.test({
  name:
    "a folder that is shown twice by a mount is heard after one of them is gone",
  ignore: !HAS_NAMESPACES,
  async fn() {
    await using folder = new WatchedFolder();
    folder.write("one/a.png");
    folder.write("two/b.png");
    await using agent = await start(folder);
    const [one, two] = [folder.join("one"), folder.join("two")];
    const within = (command: string) => runBeside(agent, command);
    within(`touch ${one}/more.png; mount --bind ${one} ${two}`);
    await agent.took("one/a.png", "one/more.png");
    within(`umount ${two}; touch ${two}/c.png`);
    await agent.took("two/c.png");
    folder.write("one/d.png");
    await agent.took("one/d.png");
  },
});

Deno.test("of all mounts those at and below a watched folder count, but for hidden and automatic ones", async () => {
  await using folder = new WatchedFolder();
  const path = Deno.realPathSync(folder.path);
  let lines: string[] = [];
  let number = 30;
  const mount = (at: string, kind = "vfat") =>
    `${number++} 22 8:17 / ${at} rw,relatime shared:9 - ${kind} /dev/sdb1 rw,errors=remount-ro`;
  const elsewhere = Array.from(
    { length: 500 },
    (_, n) => mount(`/var/lib/containers/${n}`, "overlay"),
  );
  const roots = [new WatchedRoot(folder.path, () => {})];
  const changes = new MountChanges(roots, {
    filter: new CaptureFilter(),
    list: () => mountsIn([...elsewhere, ...lines, ""].join("\n")),
  });
  const take = () =>
    changes.take().map(({ place: { name }, isAutomatic }) =>
      isAutomatic ? `${name} (automatic)` : name
    );
  assertEquals(take(), []);
  const auto = mount(`${path}/auto`, "autofs");
  const [a, b] = [mount(`${path}/a\\040b\\134`), mount(`${path}/auto/b`)];
  lines = [a, b, mount(`${path}/.hidden/c`), mount(`${path}x`)];
  assertEquals(take(), ["a b\\", "auto/b"]);
  elsewhere.splice(0, 100);
  assertEquals(take(), []);
  // Another one over it.
  lines = [a, mount(`${path}/a\\040b\\134`), auto, b, mount(path)];
  assertEquals(take(), ["a b\\", "auto (automatic)", ""]);
  // To look into it would mount it again.
  lines = [a, auto];
  assertEquals(take(), ["a b\\", "auto/b (automatic)", ""]);
});
