import { assertEquals } from "@std/assert";
import { compareEnds, hashFile } from "../../../scripts/demo/verdict.ts";
import { sha256Of } from "../../../sync/host/sha256.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const sent = (filename: string, text: string) => ({
  filename,
  sha256: sha256Of(text),
});

/** A server's folder with one capture in it for each name and content. */
class Received extends TempDir {
  add(filename: string, text: string): string {
    const id = crypto.randomUUID();
    this.write(`${id}-${filename}`, text);
    this.write(`${id}-${filename}.json`, JSON.stringify({ id, filename }));
    return this.join(`${id}-${filename}`);
  }
}

Deno.test("compareEnds() finds everything delivered, also equal captures and JSON files", async () => {
  await using received = new Received();
  for (const name of ["a.png", "b.json", "a.png"]) received.add(name, "same");
  assertEquals(
    await compareEnds(
      [sent("a.png", "same"), sent("a.png", "same"), sent("b.json", "same")],
      received.path,
    ),
    { delivered: 3, lost: [], duplicated: [] },
  );
});

Deno.test("compareEnds() finds lost captures and duplicates", async () => {
  await using received = new Received();
  received.add("twice", "x");
  received.add("twice", "x");
  assertEquals(
    await compareEnds(
      [sent("twice", "x"), sent("lost", "y"), sent("lost", "y")],
      received.path,
    ),
    { delivered: 1, lost: ["lost", "lost"], duplicated: ["twice"] },
  );
});

Deno.test("compareEnds() believes the bytes and not the record", async () => {
  await using received = new Received();
  received.add("changed", "other bytes");
  await Deno.remove(received.add("gone", "x"));
  received.add("renamed", "y");
  const all = [sent("changed", "bytes"), sent("gone", "x"), sent("name", "y")];
  assertEquals(await compareEnds(all, received.path), {
    delivered: 0,
    lost: ["changed", "gone", "name"],
    duplicated: ["changed", "renamed"],
  });
});

Deno.test("hashFile() hashes files of any length", async () => {
  await using dir = new TempDir();
  for (const text of ["", "x", "x".repeat(1_000_000)]) {
    assertEquals(await hashFile(dir.write("file", text)), sha256Of(text));
  }
});
