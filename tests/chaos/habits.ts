/**
 * Makers with the habits of real programs: they write over what they have handed
 * over, keep files open, publish another file under the same name and time, and
 * leave things behind that are no captures.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { exists } from "../../sync/host/files.ts";
import type { ChaosEvent } from "./schedule.ts";
import { SETTLE_MS, type World } from "./world.ts";

type Event<Kind extends ChaosEvent["kind"]> = Extract<
  ChaosEvent,
  { kind: Kind }
>;

/** The files that one of these leaves in the watched folder, and that must not be delivered. */
export const LITTER = "litter";

/** Hands one file over again and again, each time with other bytes in the same place. */
export async function overwrite(
  world: World,
  event: Event<"overwrite">,
): Promise<void> {
  const { maker, disks, oracle, tally } = world;
  const first = maker.plan(disks.makers, event.sizes[0]!, {});
  for (const size of event.sizes) {
    const { bytes, ...version } = maker.plan(
      disks.makers,
      size,
      {},
      first.name,
    );
    oracle.note(version, "in doubt");
    // In place: the inode stays the same.
    Deno.writeFileSync(version.path, bytes);
    const { code, stdout } = await world.run([
      "enqueue",
      ...world.roomArgs,
      version.path,
    ]);
    const [id] = stdout;
    if (code === 0 && id) {
      oracle.note(version, "owed", id);
      tally.acknowledged++;
    } else oracle.note(version, "refused");
  }
  if (event.then === "truncate") Deno.truncateSync(first.path, 0);
  if (event.then === "append") {
    Deno.writeFileSync(first.path, new Uint8Array(10), { append: true });
  }
  if (event.then === "delete") Deno.removeSync(first.path);
}

/** Records into the watched folder: the file grows, with pauses, and stays open until the end. */
export async function record(
  world: World,
  event: Event<"record">,
): Promise<void> {
  const { maker, disks, oracle, tally } = world;
  const { chunks, chunkBytes, pauseMs, isRenamed } = event;
  const { bytes, ...capture } = maker.plan(
    disks.watched,
    chunks * chunkBytes,
    {},
  );
  oracle.note(capture, "in doubt");
  const firstPath = isRenamed
    ? join(disks.watched, `recording ${capture.name}`)
    : capture.path;
  using file = Deno.openSync(firstPath, { write: true, createNew: true });
  for (let n = 0; n < chunks; n++) {
    file.writeSync(bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes));
    if (n === chunks >> 1 && isRenamed) {
      Deno.renameSync(firstPath, capture.path);
    }
    await delay(pauseMs);
  }
  oracle.note(capture, "owed");
  tally.dropped++;
}

/** Publishes a file, and when it is gone another one of the same name, size and time. */
export async function twins(
  world: World,
  event: Event<"twins">,
): Promise<void> {
  const { maker, disks, oracle, tally } = world;
  const time = new Date(Date.now() - 60_000);
  const first = maker.plan(disks.watched, event.size, {});
  const second = maker.plan(disks.watched, event.size, {}, first.name);
  const publish = ({ bytes, ...capture }: typeof first) => {
    const path = join(disks.makers, capture.name);
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, time, time);
    Deno.renameSync(path, capture.path);
    return capture;
  };
  oracle.note(first, "in doubt");
  publish(first);
  for (let n = 0; n < 100 && exists(first.path); n++) await delay(50);
  tally.dropped++;
  // Whoever has removed it must have delivered it.
  if (!exists(first.path)) oracle.note(first, "owed");
  else if (disks.small) {
    // Without room for a copy it waits where it is: another one there would be its loss.
    return oracle.note(first, "owed");
  }
  oracle.note(publish(second), "owed");
  tally.dropped++;
}

/** Writes the metadata first, and their capture a while later. */
export async function sidecarFirst(
  world: World,
  event: Event<"sidecar first">,
): Promise<void> {
  const { maker, disks, oracle, tally } = world;
  const metadata = maker.metadata();
  const { bytes, ...capture } = maker.plan(disks.watched, event.size, metadata);
  const text = JSON.stringify(metadata);
  const mark = event.hasMark ? "\ufeff" : "";
  Deno.writeTextFileSync(`${capture.path}.json`, mark + text);
  await delay(event.laterMs);
  oracle.note(capture, "owed");
  tally.dropped++;
  Deno.writeFileSync(capture.path, bytes);
}

/** Writes the metadata after their capture, before that has settled. */
export async function sidecarAfter(
  world: World,
  event: Event<"sidecar after">,
): Promise<void> {
  const { maker, disks, oracle, tally, clock } = world;
  if (clock && clock.offsetS > 0) {
    // An agent that starts takes a new file for one that settled long ago.
    const first = { kind: "sidecar first", hasMark: false } as const;
    return await sidecarFirst(world, { ...event, ...first });
  }
  const metadata = maker.metadata();
  const { bytes, ...capture } = maker.plan(disks.watched, event.size, metadata);
  // By this one, which waits for a capture, the agent knows that files here have some.
  Deno.writeTextFileSync(join(disks.watched, `${LITTER} next.bin.json`), "{}");
  oracle.note(capture, "owed");
  tally.dropped++;
  const begun = performance.now();
  const path = join(
    event.isRenamed ? disks.makers : disks.watched,
    capture.name,
  );
  Deno.writeFileSync(path, bytes);
  if (event.isRenamed) Deno.renameSync(path, capture.path);
  await delay(event.laterMs);
  const sidecar = `${capture.path}.json`;
  Deno.writeTextFileSync(sidecar, JSON.stringify(metadata));
  if (performance.now() - begun < SETTLE_MS - 50) return;
  // On a machine that has so much to do it came too late.
  oracle.note({ ...capture, metadata: {} }, "owed");
  if (exists(sidecar)) Deno.removeSync(sidecar);
}

/** Touches what lies in the watched folder: other times and permissions, the same bytes. */
export function touch(world: World, event: Event<"touch">): void {
  const { watched } = world.disks;
  for (const { name, isFile } of Deno.readDirSync(watched)) {
    if (!isFile || name.endsWith(".json")) continue;
    const path = join(watched, name);
    try {
      const shifted = new Date(
        Deno.statSync(path).mtime!.getTime() + event.shiftMs,
      );
      Deno.utimeSync(path, shifted, shifted);
      Deno.chmodSync(path, event.mode);
    } catch (error) {
      // It was delivered and removed just now.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Leaves things in the watched folder that are no captures, and must not harm it. */
export async function litter(world: World): Promise<void> {
  const { watched } = world.disks;
  const at = (name: string) => join(watched, `${LITTER} ${name}`);
  if (exists(at("pipe"))) return;
  await new Deno.Command("mkfifo", { args: [at("pipe")] }).output();
  await new Deno.Command("mkfifo", { args: [join(watched, `.${LITTER}`)] })
    .output();
  Deno.symlinkSync("/", at("link to all"));
  Deno.symlinkSync("/usr", at("link"));
  for (const end of ["half.part", "door.png~", "x.swp", "video.crdownload"]) {
    Deno.writeTextFileSync(at(end), "nobody wants this");
  }
  Deno.mkdirSync(at("closed"), { mode: 0 });
}
