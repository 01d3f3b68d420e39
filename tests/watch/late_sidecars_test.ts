import { assertEquals } from "@std/assert";
import {
  type FileIdentity,
  isSameFile,
  openRegularFile,
} from "../../sync/host/opened_file.ts";
import { LateSidecars } from "../../sync/watch/late_sidecars.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** Finds a sidecar with other metadata than were sent; `behindMs` is how long before the delivery it was written. */
function found(dir: TempDir, { behindMs = -Infinity } = {}) {
  const said: string[] = [];
  const log = (_: string, text: string) => void said.push(text);
  const recorded: FileIdentity[] = [];
  const late = new LateSidecars({
    roots: [new WatchedRoot(dir.path, log)],
    afterUpload: { kind: "keep" },
    log,
    isKnown: (_, one) => recorded.some((other) => isSameFile(one, other)),
    onSaid: (_, one) => void recorded.push(one),
  });
  const path = dir.write("a.png", "the first");
  const sidecar = identityOf(dir.write("a.png.json", '{"n": 2}'));
  const identity = identityOf(path);
  const known = {
    ...identity,
    id: "1",
    path,
    identity,
    sha256: null,
    metadataSha256: sha256Of('{"n": 1}'),
    sinceMs: sidecar.ctimeMs + behindMs,
  };
  late.found(known, sidecar);
  late.turn();
  return { late, said, path, identity, sidecar, recorded };
}

for (const next of ["follows", "does not follow"]) {
  Deno.test(`a sidecar beside a capture that was delivered with another is said to be late unless the next version follows: it ${next}`, async () => {
    await using dir = new TempDir();
    const { late, said, path } = found(dir);
    if (next === "follows") {
      Deno.renameSync(dir.write("new", "the next"), path);
    }
    late.turn();
    late.turn();
    assertEquals(said.length, next === "follows" ? 0 : 1);
  });
}

Deno.test("a sidecar that is written at the moment of the delivery is said to be late, though the clock of files is a tick behind; an older one is not looked at", async () => {
  for (const [behindMs, count] of [[4, 1], [60_000, 0]] as const) {
    await using dir = new TempDir();
    const { late, said } = found(dir, { behindMs });
    late.turn();
    assertEquals(said.length, count, `${behindMs} ms`);
  }
});

Deno.test("a late sidecar that is met again costs no second record, nor does one that an agent before has reported", async () => {
  await using dir = new TempDir();
  const { late, said, path, identity, sidecar, recorded } = found(dir);
  for (let n = 0; n < 3; n++) late.missed({ path, identity }, sidecar);
  assertEquals([said.length, recorded.length], [1, 1]);
  const rewritten = identityOf(dir.write("a.png.json", '{"n": 345}'));
  late.missed({ path, identity }, rewritten);
  assertEquals(recorded.length, 2);
  const before = found(dir);
  before.recorded.push(before.sidecar);
  before.late.missed({ path, identity }, before.sidecar);
  assertEquals([before.said.length, before.recorded.length], [0, 1]);
});

function identityOf(path: string) {
  using file = openRegularFile(path);
  return file.identity;
}
