/** One file with several names. */
import { assertEquals } from "@std/assert";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { sha256Of } from "../../sync/host/sha256.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

/** The names by which captures are known, relative to the folder. */
function known(folder: WatchedFolder): string[] {
  using database = openDatabase(folder.queue.path);
  return database.prepare("SELECT filepath FROM watched_files").all()
    .map(({ filepath }) => String(filepath).slice(folder.path.length + 1));
}

async function scan(folder: WatchedFolder): Promise<string[]> {
  await folder.watcher({ settleMs: 0 }).scan();
  return folder.names;
}

Deno.test("a file with two names is one capture, whichever comes when, and keeps the name that it was taken by", async () => {
  await using folder = new WatchedFolder();
  folder.write("m.raw");
  Deno.linkSync(folder.join("m.raw"), folder.join("n.raw"));
  assertEquals(await scan(folder), ["m.raw"]);
  Deno.mkdirSync(folder.join("day"));
  for (const name of ["a.raw", "z.raw", "day/m.raw"]) {
    Deno.linkSync(folder.join("m.raw"), folder.join(name));
    assertEquals(await scan(folder), ["m.raw"]);
    assertEquals(known(folder), ["m.raw"]);
  }
  Deno.removeSync(folder.join("m.raw"));
  assertEquals(await scan(folder), ["m.raw"]);
  assertEquals(known(folder).length, 1);
  assertEquals(known(folder).includes("m.raw"), false);
});

Deno.test("a name of a file that has metadata of its own is a capture of its own", async () => {
  await using folder = new WatchedFolder();
  folder.write("a.raw");
  Deno.linkSync(folder.join("a.raw"), folder.join("b.raw"));
  folder.write("b.raw.json", '{"door": 3}');
  assertEquals(await scan(folder), ["a.raw", "b.raw"]);
  assertEquals(await scan(folder), ["a.raw", "b.raw"]);
});

Deno.test("a name with metadata that comes after the file was taken over without any is a capture of its own, once", async () => {
  for (const state of ["queued", "delivered", "delivered, its name gone"]) {
    await using folder = new WatchedFolder();
    folder.write("a.raw");
    Deno.linkSync(folder.join("a.raw"), folder.join("b.raw"));
    assertEquals(await scan(folder), ["a.raw"]);
    if (state !== "queued") {
      const { id } = folder.queue.getPending()[0]!;
      const metadataSha256 = sha256Of("{}");
      folder.queue.complete([{ id, kind: "delivered", metadataSha256 }]);
      if (state.endsWith("gone")) {
        Deno.removeSync(folder.join("a.raw"));
        folder.queue.markRemoved(id, { hasOtherNames: true });
      }
    }
    folder.write("b.raw.json", '{"door": 3}');
    assertEquals((await scan(folder)).at(-1), "b.raw", state);
    const names = await scan(folder);
    assertEquals(await scan(folder), names, state);
    assertEquals(names.filter((name) => name === "b.raw").length, 1, state);
  }
});

Deno.test("names with metadata of their own that come one after the other are captures of their own, each once, whatever is delivered or gone meanwhile", async () => {
  for (const isDelivered of [false, true]) {
    for (const isGone of [false, true]) {
      await using folder = new WatchedFolder();
      const expected: string[] = [];
      // A name that is not taken keeps the file.
      const kept = folder.write("kept.part", "bytes");
      Deno.mkdirSync(folder.join("x"));
      for (const [n, name] of ["a.raw", "b.raw", "x/c.raw"].entries()) {
        Deno.linkSync(kept, folder.join(name));
        folder.write(`${name}.json`, `{"n": ${n}}`);
        expected.push(name);
        assertEquals(await scan(folder), expected);
        assertEquals(await scan(folder), expected);
        const { id, metadataJson } = folder.queue.getPending(10).at(-1)!;
        assertEquals(metadataJson, `{"n": ${n}}`);
        if (!isDelivered) continue;
        const metadataSha256 = sha256Of(metadataJson);
        folder.queue.complete([{ id, kind: "delivered", metadataSha256 }]);
        assertEquals(await scan(folder), expected);
        if (!isGone) continue;
        Deno.removeSync(folder.join(name));
        Deno.removeSync(folder.join(`${name}.json`));
        folder.queue.markRemoved(id, { hasOtherNames: true });
        assertEquals(await scan(folder), expected);
      }
    }
  }
});

Deno.test("a name with metadata of its own that was taken over is no other capture under a new name, or by a further one", async () => {
  for (const state of ["queued", "delivered"]) {
    await using folder = new WatchedFolder();
    folder.write("a.raw");
    folder.write("a.raw.json", '{"n": 1}');
    await scan(folder);
    folder.write("b.raw.json", '{"n": 2}');
    Deno.linkSync(folder.join("a.raw"), folder.join("b.raw"));
    assertEquals(await scan(folder), ["a.raw", "b.raw"]);
    if (state === "delivered") {
      for (const { id, metadataJson } of folder.queue.getPending(10)) {
        const metadataSha256 = sha256Of(metadataJson);
        folder.queue.complete([{ id, kind: "delivered", metadataSha256 }]);
      }
    }
    const rename = (from: string, to: string) => {
      for (const end of [".json", ""]) {
        Deno.renameSync(folder.join(from + end), folder.join(to + end));
      }
    };
    Deno.mkdirSync(folder.join("day"));
    for (const to of ["c.raw", "day/b.raw", "d.raw"]) {
      rename(
        to === "c.raw" ? "b.raw" : to === "d.raw" ? "day/b.raw" : "c.raw",
        to,
      );
      assertEquals(await scan(folder), ["a.raw", "b.raw"], `${state} ${to}`);
    }
    // A copy of both by links, like a backup's.
    for (const name of ["a.raw", "d.raw", "a.raw.json", "d.raw.json"]) {
      Deno.linkSync(folder.join(name), folder.join("day", name));
    }
    assertEquals(await scan(folder), ["a.raw", "b.raw"], state);
    rename("a.raw", "e.raw");
    assertEquals(await scan(folder), ["a.raw", "b.raw"], state);
    assertEquals(await scan(folder), ["a.raw", "b.raw"], state);
  }
});

Deno.test("a file with two names is one capture on a disk that has another number since a restart", async () => {
  await using folder = new WatchedFolder();
  folder.write("z/a.raw");
  Deno.mkdirSync(folder.join("b"));
  await scan(folder);
  Deno.linkSync(folder.join("z/a.raw"), folder.join("b/link.raw"));
  await scan(folder);
  {
    using database = openDatabase(folder.queue.path);
    database.exec("UPDATE watched_files SET file_id = 'ffff' || file_id");
  }
  assertEquals(await scan(folder), ["z/a.raw"]);
  assertEquals(known(folder), ["z/a.raw"]);
});
