import type { Edit } from "./program.ts";

/** Makes it likely that a kill comes between a capture's record and its row. */
export const SLOW_HAND_OVER: Edit = {
  file: "sync/spool/intake.ts",
  find: 'reached("spool-record");',
  replace:
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);",
};

/** How long to wait for deliveries that a mutant never makes, in milliseconds. */
export const MUTANT_DRAIN_MS = 5_000;

/** The program with one thing taken out that a promise rests on, by what that is. */
export const MUTANTS = {
  "the idempotency key": {
    file: "sync/upload/uploader.ts",
    find: "keyHeader(idempotencyKey)",
    replace: "keyHeader(crypto.randomUUID())",
  },
  "the commit of a delivery": {
    file: "sync/agent/batch_completer.ts",
    find: "this.#waiting.map(({ completion }) => completion)",
    replace: "this.#waiting.map(({ completion }) => completion)" +
      '.filter(({ kind }) => kind !== "delivered")',
  },
  "the copy in the spool": {
    file: "sync/spool/intake.ts",
    find: 'const { id = newCaptureId(), mode = "copy" } = options;',
    replace: 'const { id = newCaptureId() } = options, mode = "reference";',
  },
  "a copy of its own instead of a link": {
    file: "sync/spool/private_copy.ts",
    find: "const isClone = file.cloneTo(path);",
    replace: "let isClone = true;\n" +
      "  try { Deno.linkSync(file.path, path); } catch { isClone = file.cloneTo(path); }",
  },
  "the look through the spool before the folders": {
    file: "sync/cli/daemon/service.ts",
    find: "await reconcile(store, { log, signal });",
    replace: "setTimeout(() => reconcile(store, { log, signal }), 600);",
  },
  "the question who writes a file": {
    file: "sync/watch/candidate.ts",
    find: "? file.isOpenForWriting()",
    replace: "? false",
  },
  "the look at the content of a file in doubt": {
    file: "sync/queue/known_file.ts",
    find: 'return known.sha256 === null ? "other" : "in doubt";',
    replace: 'return "same";',
  },
  "the patience of metadata without its capture": {
    file: "sync/watch/finishing.ts",
    find: ": captureOf(name);",
    replace: ": undefined;",
  },
  "the patience of what is renamed for its metadata": {
    file: "sync/watch/finishing.ts",
    find: "place.root.usesSidecars === false;",
    replace: "true;",
  },
  "the id as the proof of a delivery": {
    file: "sync/upload/outcome.ts",
    find:
      'if (proof === "status" && "instead" in found) return delivered(status, null);',
    replace: "return delivered(status, null);",
  },
  "the sync of a capture's bytes": {
    file: "sync/spool/private_copy.ts",
    find: "  await copy.sync();",
    replace: "",
  },
  "the sync of the spool's names": {
    file: "sync/spool/spool.ts",
    find: "this.#syncNames(records.map(({ id }) => id));",
    replace: "",
  },
  "the sync of the spool's records": {
    file: "sync/spool/record_log.ts",
    find: "    file.syncDataSync();",
    replace: "",
  },
  "the sync of a commit": {
    file: "sync/queue/migrate.ts",
    find: "PRAGMA synchronous = FULL",
    replace: "PRAGMA synchronous = NORMAL",
  },
} satisfies Record<string, Edit>;
