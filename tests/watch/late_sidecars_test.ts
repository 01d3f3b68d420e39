import { assertEquals } from "@std/assert";
import { metadataHash } from "../../sync/capture/metadata_hash.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { LateSidecars } from "../../sync/watch/late_sidecars.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { TempDir } from "../helpers/temp_dir.ts";

for (const next of ["follows", "does not follow"]) {
  Deno.test(`a sidecar beside a capture that was delivered with another is said to be late unless the next version follows: it ${next}`, async () => {
    await using dir = new TempDir();
    const said: string[] = [];
    const log = (_: string, text: string) => void said.push(text);
    const roots = [new WatchedRoot(dir.path, log)];
    const late = new LateSidecars({
      roots,
      afterUpload: { kind: "keep" },
      log,
      onSaid: () => {},
    });
    const path = dir.write("a.png", "the first");
    const metadataSha256 = metadataHash('{"n": 1}');
    const sidecar = identityOf(dir.write("a.png.json", '{"n": 2}'));
    const identity = identityOf(path);
    late.found(
      { id: "1", path, identity, sha256: null, metadataSha256, sinceMs: 0 },
      sidecar,
    );
    late.turn();
    if (next === "follows") {
      Deno.renameSync(dir.write("new", "the next"), path);
    }
    late.turn();
    late.turn();
    assertEquals(said.length, next === "follows" ? 0 : 1);
  });
}

function identityOf(path: string) {
  using file = openRegularFile(path);
  return file.identity;
}
