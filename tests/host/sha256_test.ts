import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { readHashed, sha256Of } from "../../sync/host/sha256.ts";
import { sampleBytes } from "../helpers/sample_bytes.ts";
import { TempDir } from "../helpers/temp_dir.ts";

Deno.test("readHashed() hashes all of a file, however large, and hands on each byte once", async () => {
  await using dir = new TempDir();
  for (const size of [0, 1, 1024 ** 2, 1024 ** 2 + 1, 3_000_000]) {
    const bytes = sampleBytes(size);
    using file = openRegularFile(dir.write("file", bytes));
    const taken = createHash("sha256");
    const hashed = await readHashed(file, (piece) => taken.update(piece));
    assertEquals(hashed, { sha256: sha256Of(bytes), size });
    assertEquals(taken.digest("hex"), hashed.sha256);
  }
});

Deno.test("readHashed() comes to an end in a file that grows as fast as it is read, and tells that there is more", async () => {
  for (const size of [10, 2_000_000]) {
    await using dir = new TempDir();
    const path = dir.write("file", sampleBytes(size));
    using file = openRegularFile(path);
    const more = sampleBytes(300_000);
    const grow = () => Deno.writeFileSync(path, more, { append: true });
    grow();
    const hashed = await readHashed(file, grow);
    assertEquals(hashed.size > size, true);
  }
});
