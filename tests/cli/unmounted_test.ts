/** Captures without a copy whose disk is taken away below a watched folder. */
import { assert, assertEquals } from "@std/assert";
import { SmallDisk } from "../chaos/small_disk.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { succeeds } from "../helpers/has_program.ts";
import { Host } from "../helpers/host.ts";

const CAN_MOUNT = await SmallDisk.canMount();

Deno.test(
  "a capture without a copy waits while its disk is away, which status tells of, and is delivered once that is back",
  { ignore: !CAN_MOUNT },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using disk = await SmallDisk.mount(host.makeDir("disk"), 1);
    assert(disk);
    host.makeDir("in/other");
    const card = host.makeDir("in/card");
    const mount = () => succeeds("mount", ["--bind", disk.path, card]);
    await using agent = await host.watch("--copy-up-to=1");
    await host.run("pause");
    const path = host.write("disk/DCIM/a.raw");
    assert(await mount());
    await using _card = new Mounted(card);
    await eventually("it waits", async () => {
      return (await host.status()).pending === 1;
    });
    assert(await succeeds("umount", [card]));
    // As a volume manager does.
    Deno.removeSync(card);
    await host.run("resume");
    const unreadable = async () => (await host.status()).folders[0]?.unreadable;
    await eventually("it is told", async () => await unreadable() === 1);
    const { advice, failed } = await host.status();
    assertEquals(advice, [
      `1 file or folder in the watched folder "${
        host.join("in")
      }" cannot be read, like "${
        card + path.slice(disk.path.length)
      }": its disk is away, "${
        host.join("in")
      }" is on another disk: mount it again, or give up what is only there with "jarvis-agent remove"`,
    ]);
    assertEquals(failed, 0);
    host.makeDir("in/card");
    assert(await mount());
    await eventually("it arrives", () => server.names.length === 1);
    await eventually("nothing is told", async () => await unreadable() === 0);
    await agent.stop();
  },
);

/** Unmounts what is mounted there at the end of the scope. */
class Mounted implements AsyncDisposable {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeeds("umount", ["-l", this.#path]);
  }
}
