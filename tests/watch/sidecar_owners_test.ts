/** To which version of its capture a sidecar belongs. */
import { assertEquals } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { openFiles } from "../helpers/open_files.ts";
import { WatchedFolder } from "../helpers/watched_folder.ts";

// Nobody else tells what was renamed.
const ignore = Deno.build.os !== "linux";
const NEVER_MS = 3_600_000;

/** Renames a file of this content into place. */
function publish(folder: WatchedFolder, name: string, content: string): void {
  Deno.renameSync(folder.writeOutside(name, content), folder.join(name));
}

/** What was taken over, with its metadata. */
function taken({ taken }: WatchedFolder): [number, unknown][] {
  return taken.map(({ identity, metadataJson }) => [
    identity.size,
    JSON.parse(metadataJson),
  ]);
}

/** A content of so many bytes. */
function version(size: number): string {
  return "x".repeat(size);
}

Deno.test({
  name:
    "each version that is renamed into place has the sidecar that follows it, the first one too",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    await folder.start({ settleMs: 300 });
    for (const n of [1, 2, 3]) {
      await folder.looked("a.png", () => publish(folder, "a.png", version(n)));
      publish(folder, "a.png.json", `{"n": ${n}}`);
      await eventually("it is taken", () => folder.taken.length === n);
    }
    assertEquals(taken(folder), [[1, { n: 1 }], [2, { n: 2 }], [3, { n: 3 }]]);
    assertEquals(folder.logged, []);
  },
});

for (
  const [sidecar, ofSize] of [
    ["before it", version],
    ["after it", version],
    ["after it, and has the content of the last one", () => "same"],
    ["in place after it", version],
    ["never", version],
  ] as const
) {
  Deno.test({
    name:
      `a version that is replaced before it has settled is taken over with its metadata, which come ${sidecar}`,
    ignore,
    async fn() {
      await using folder = new WatchedFolder();
      await folder.start({ settleMs: NEVER_MS });
      const written: [number, unknown][] = [];
      for (const n of [1, 2, 3, 4]) {
        const metadata = sidecar === "never" ? {} : { n };
        const text = JSON.stringify(metadata);
        if (sidecar === "before it") publish(folder, "a.png.json", text);
        await folder.looked("a.png", () => publish(folder, "a.png", ofSize(n)));
        if (sidecar.startsWith("after it")) {
          await folder.looked("a.png", () => {
            publish(folder, "a.png.json", text);
          });
        }
        if (sidecar === "in place after it") {
          await folder.looked("a.png", () => {
            folder.write("a.png.json", text);
          });
        }
        written.push([ofSize(n).length, metadata]);
      }
      // The last one of those that may have a sidecar still waits.
      const expected = sidecar === "never" ? written : written.slice(0, -1);
      await eventually(
        "they are taken",
        () => folder.taken.length >= expected.length,
      );
      assertEquals(taken(folder), expected);
      assertEquals(folder.logged, []);
      await folder.stop();
      assertEquals(openFiles(folder.path), 0);
    },
  });
}

for (const sidecar of ["goes with it", "stays"]) {
  Deno.test({
    name:
      `a file that was taken over, renamed, and replaced under its new name before that has settled is not taken over again (its sidecar ${sidecar})`,
    ignore,
    async fn() {
      await using folder = new WatchedFolder();
      const rename = (from: string, to: string) =>
        Deno.renameSync(folder.join(from), folder.join(to));
      publish(folder, "latest.png.json", '{"n": 1}');
      publish(folder, "latest.png", version(1));
      await folder.watcher({ settleMs: 0 }).scan();
      await folder.start({ settleMs: 500 });
      if (sidecar === "goes with it") {
        rename("latest.png.json", "previous.png.json");
      }
      await folder.looked("previous.png", () => {
        rename("latest.png", "previous.png");
      });
      publish(folder, "previous.png.json", '{"n": 2}');
      publish(folder, "previous.png", version(2));
      await eventually("the next is taken", () => folder.taken.length > 1);
      assertEquals(taken(folder), [[1, { n: 1 }], [2, { n: 2 }]]);
    },
  });
}

Deno.test({
  name:
    "a version whose sidecar came after it keeps that when the next version's sidecar comes before the next version",
  ignore,
  async fn() {
    await using folder = new WatchedFolder();
    await folder.start({ settleMs: NEVER_MS });
    await folder.looked("a.png", () => publish(folder, "a.png", version(1)));
    await folder.looked("a.png", () => {
      publish(folder, "a.png.json", '{"n": 1}');
    });
    publish(folder, "a.png.json", '{"n": 2}');
    publish(folder, "a.png", version(2));
    await eventually("it is taken", () => folder.taken.length > 0);
    assertEquals(taken(folder), [[1, { n: 1 }]]);
  },
});

for (const file of ["stays", "is removed"]) {
  Deno.test({
    name:
      `a sidecar that comes too late for its capture, which ${file}, is told of, and no other version's until it is written anew`,
    ignore,
    async fn() {
      await using folder = new WatchedFolder();
      const late = new Set<number>();
      folder.write("other.png");
      await folder.watcher({ settleMs: 0 }).scan();
      await folder.start({
        settleMs: 2_000,
        aloneMs: 0,
        onLateSidecar: ({ identity }) => late.add(identity.size),
      });
      publish(folder, "a.png", version(1));
      await folder.took("a.png", "other.png");
      if (file === "is removed") Deno.removeSync(folder.join("a.png"));
      publish(folder, "a.png.json", '{"n": 1}');
      await eventually("it is told", () => late.size > 0);
      publish(folder, "a.png", version(2));
      await eventually("the next is taken", () => folder.taken.length === 3);
      await folder.looked("a.png", () => publish(folder, "a.png", version(3)));
      publish(folder, "a.png.json", '{"n": 3}');
      await eventually("the last is taken", () => folder.taken.length === 4);
      assertEquals(taken(folder).slice(1), [[1, {}], [2, {}], [3, { n: 3 }]]);
      assertEquals([...late], [1]);
      assertEquals(folder.logged, []);
    },
  });
}
