import { assertEquals } from "@std/assert";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import {
  type Connection,
  type Engine,
  openDatabase,
} from "../../sync/queue/sqlite.ts";
import type { WatchedFile } from "../../sync/spool/copies.ts";
import { Intake, type IntakeOptions } from "../../sync/spool/intake.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { Spool } from "../../sync/spool/spool.ts";
import { TempDir } from "./temp_dir.ts";

/** A real queue with a real spool, in a data directory of their own. */
export class StoreFixture implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly dataDir: string;
  readonly spoolDir: string;
  readonly queue: UploadQueue;
  readonly spool: Spool;
  readonly intake: Intake;
  /** How far the queue's clock is ahead, in milliseconds. */
  aheadMs = 0;

  constructor(
    options: IntakeOptions & { dataDir?: string; engine?: Engine } = {},
  ) {
    const { dataDir = this.dir.join("jarvis"), engine, ...limits } = options;
    this.dataDir = dataDir;
    this.spoolDir = `${dataDir}/spool`;
    this.queue = new UploadQueue(`${dataDir}/queue.db`, {
      now: () => Date.now() + this.aheadMs,
      ...(engine && { engine }),
    });
    this.spool = new Spool(this.spoolDir);
    this.intake = new Intake(this.queue, this.spool, {
      minFreeBytes: 0,
      ...limits,
    });
  }

  /** Hands over a new file and returns the capture's id. */
  async take(content: string, name = "capture.png"): Promise<string> {
    const path = this.dir.write(
      `taken/${crypto.randomUUID()}/${name}`,
      content,
    );
    return await this.intake.add(path, `{"name":"${name}"}`);
  }

  /** What the spool has of a capture. */
  bytesOf(id: string): string {
    return Deno.readTextFileSync(this.spool.pathOf(id));
  }

  /** All files of entries in the spool, and what was set aside, by their path in it. */
  spooled(folder = ""): string[] {
    return [...Deno.readDirSync(this.spoolDir + folder)].flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory ? this.spooled(path) : [path];
    }).filter((path) => !/^.records.jsonl$|^.in-use/.test(path)).sort();
  }

  /** Expects the spool to have these captures, and nothing else. */
  assertSpooled(ids: string[]): void {
    const expected = ids.map((id) => `/${id.slice(-2)}/${id}`);
    assertEquals(this.spooled(), expected.sort());
  }

  /** Opens the database past the queue. */
  open(): Connection {
    return openDatabase(this.queue.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.queue.close();
    this.spool[Symbol.dispose]();
    await this.dir[Symbol.asyncDispose]();
  }
}

/** A file as the watcher hands it over. */
export function watchedFile(path: string): WatchedFile {
  const open = () => openRegularFile(path, { noFollow: true });
  using file = open();
  return { path, metadataJson: '{"n":1}', identity: file.identity, open };
}

/** A folder on another file system than temporary files are on, if there is one. */
export const OTHER_FILE_SYSTEM: string | undefined = (() => {
  const ownDir = Deno.makeTempDirSync();
  const { dev } = Deno.statSync(ownDir);
  Deno.removeSync(ownDir);
  return ["/dev/shm", "/var/tmp", Deno.env.get("HOME") ?? "/"].find((dir) => {
    try {
      Deno.removeSync(Deno.makeTempDirSync({ dir }));
      return Deno.statSync(dir).dev !== dev;
    } catch {
      // Not there, or nothing may be put there.
      return false;
    }
  });
})();

/** A test that needs {@linkcode OTHER_FILE_SYSTEM}; skipped where there is none. */
export function testAcrossFileSystems(
  name: string,
  body: (other: TempDir) => Promise<void>,
): void {
  const skipped = OTHER_FILE_SYSTEM === undefined;
  Deno.test({
    name: skipped ? `${name} (skipped: there is only one file system)` : name,
    ignore: skipped,
    async fn() {
      await using other = new TempDir(OTHER_FILE_SYSTEM);
      await body(other);
    },
  });
}
