/** The diagrams of docs/design.md, held against the queue and the import rules. */

import { assert, assertEquals } from "@std/assert";
import { MAY_IMPORT } from "../../scripts/check/imports.ts";
import { projectPath } from "../../scripts/task/bindings.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const page = Deno.readTextFileSync(projectPath("docs/design.md"));
const ID = "01900000-0000-7000-8000-000000000000";
const DAY_MS = 86_400_000;
const error = "no";

/** A queue with a clock that a test sets, and one capture. */
class Fixture {
  nowMs = Date.UTC(2026, 0, 1);
  readonly queue: UploadQueue;

  constructor(dir: TempDir, name: string) {
    this.queue = new UploadQueue(dir.join(name), { now: () => this.nowMs });
    this.queue.enqueue("/cam/a.png", {}, { id: ID });
  }

  /** Its state, as the diagram names it. */
  get state(): string {
    const status = this.queue.get(ID)?.status;
    return status ?? (this.queue.wasDelivered(ID) ? "delivered" : "[*]");
  }
}

const STATES: Record<string, (queue: UploadQueue) => void> = {
  pending: () => {},
  uploading: (queue) => queue.claim(1),
  failed: (queue) => queue.complete([{ id: ID, kind: "discard", error }]),
  delivered: (queue) => queue.complete([{ id: ID, kind: "delivered" }]),
};

type Step = (fixture: Fixture) => void;

/** What anybody may do, at any time. */
const STEPS: Record<string, Step> = {
  claim: ({ queue }) => queue.claim(1),
  recover: ({ queue }) => queue.recover(),
  retry: ({ queue }) => queue.retry([ID]),
  remove: ({ queue }) => queue.remove([ID]),
  cleanup: (fixture) => {
    fixture.nowMs += 8 * DAY_MS;
    fixture.queue.cleanupOld(7);
  },
  forget: (fixture) => {
    fixture.nowMs += 100 * DAY_MS;
    fixture.queue.pruneHistory(90 * DAY_MS, () => true);
  },
};

/** What only whoever has claimed it does. */
const COMPLETIONS: Record<string, Step> = {
  release: ({ queue }) => queue.complete([{ id: ID, kind: "release" }]),
  snooze: ({ queue }) =>
    queue.complete([{ id: ID, kind: "snooze", error, delayMs: 1 }]),
  discard: ({ queue }) => queue.complete([{ id: ID, kind: "discard", error }]),
  deliver: ({ queue }) => queue.complete([{ id: ID, kind: "delivered" }]),
};

const charge: Step = ({ queue }) =>
  queue.complete([{ id: ID, kind: "charge", error }]);

Deno.test("the diagram of the states is what the queue does", async () => {
  await using dir = new TempDir();
  const found = new Set(["[*] --> pending: enqueue"]);
  let count = 0;
  const play = (from: string, steps: Record<string, Step>) => {
    for (const [name, step] of Object.entries(steps)) {
      const fixture = new Fixture(dir, `${count++}.db`);
      using _queue = fixture.queue;
      STATES[from]!(fixture.queue);
      assertEquals(fixture.state, from);
      step(fixture);
      if (fixture.state !== from) {
        found.add(`${from} --> ${fixture.state}: ${name}`);
      }
    }
  };
  for (const state of Object.keys(STATES)) play(state, STEPS);
  play("uploading", COMPLETIONS);

  const fixture = new Fixture(dir, "charged.db");
  using queue = fixture.queue;
  while (fixture.state === "pending") {
    queue.claim(1);
    charge(fixture);
    found.add(`uploading --> ${fixture.state}: charge`);
    fixture.nowMs += DAY_MS;
  }

  const drawn = page.matchAll(/^ {4}(\S+ --> \S+: \w+)$/gm);
  assertEquals(
    [...drawn].map(([, edge]) => edge!).toSorted(),
    [...found].toSorted(),
  );
});

Deno.test("the diagram of the rooms has no arrow but along what a room may import, and leads to all of it", () => {
  const direct = new Map<string, string[]>();
  for (const [, from, to] of page.matchAll(/^ {4}(\w+) --> ([\w& ]+)$/gm)) {
    const targets = to!.split("&").map((name) => name.trim());
    direct.set(from!, [...direct.get(from!) ?? [], ...targets]);
  }
  const reach = (room: string): string[] =>
    (direct.get(room) ?? []).flatMap((to) => [to, ...reach(to)]);
  for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
    // mod.ts is no room, and main.ts leaves all to one.
    if (room === "mod" || room === "main") continue;
    const names = new Set(allowed.split(" ").filter(Boolean));
    assert(names.isSubsetOf(new Set(reach(room))), room);
    assert(new Set(direct.get(room)).isSubsetOf(names), room);
  }
});
