/** Another disk in the place of the one that was delivered from. */
import { assert, assertEquals } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { LoopDisk } from "../helpers/loop_disk.ts";
import { succeeds } from "../helpers/has_program.ts";
import { Host } from "../helpers/host.ts";

const CAN_MOUNT = await LoopDisk.canMount({ sizeMib: 4, mkfs: ["mkfs.ext4"] });

const FIRST = "first".repeat(100);
const OTHER = "other".repeat(100);

/** The image of a disk with one file, and a copy of it in which only the file's bytes differ. */
async function makeImages(host: Host): Promise<{ one: string; two: string }> {
  const [one, two] = [host.write("one.img", ""), host.join("two.img")];
  host.write("content/a.raw", FIRST);
  Deno.truncateSync(one, 4 * 1024 * 1024);
  const options = ["-q", "-O", "^has_journal", "-d"];
  const args = [...options, host.join("content"), one];
  assert(await succeeds("mkfs.ext4", args));
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(one));
  Deno.copyFileSync(one, two);
  using file = Deno.openSync(two, { write: true });
  file.seekSync(text.indexOf(FIRST), Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(OTHER));
  return { one, two };
}

Deno.test(
  "a file of another disk whose identity is that of a delivered one is sent",
  { ignore: !CAN_MOUNT },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const { one, two } = await makeImages(host);
    const card = host.makeDir("in/card");
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void await succeeds("umount", ["-l", card]));
    await using agent = await host.watch("--after-upload=delete");
    // From this one nothing can be deleted.
    assert(await succeeds("mount", ["-o", "loop,ro", one, card]));
    await agent.said(`Cannot delete "${card}/a.raw"`);
    assert(await succeeds("umount", [card]));
    assert(await succeeds("mount", ["-o", "loop", two, card]));
    await eventually("both arrive", () => server.uploads.length === 2);
    await agent.stop();
    const sent = server.uploads
      .map(({ bytes }) => new TextDecoder().decode(bytes));
    assertEquals(sent, [FIRST, OTHER]);
  },
);
