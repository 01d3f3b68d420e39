/** The acceptance steps of the first design, in its own words. */

import { assert, assertEquals } from "@std/assert";
import { CaptureUploader, UploadQueue } from "../../sync/mod.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** An address at which no server is running. */
function nowhere(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `http://127.0.0.1:${listener.addr.port}`;
}

Deno.test("a server that is not running is unavailable and nothing throws", async () => {
  await using dir = new TempDir();
  const path = dir.write("capture.png", "bytes");
  await using uploader = new CaptureUploader(nowhere(), { maxRetries: 1 });
  assertEquals(await uploader.checkServer(), false);
  const result = await uploader.upload(path, { title: "Door 3" });
  assertEquals(result.success, false);
  assertEquals(result.captureId, null);
  assertEquals(result.attempts, 1);
  assert(result.error);
});

testOnEachEngine(
  "enqueue, one pending, mark uploading, mark completed, none pending",
  async (engine) => {
    await using dir = new TempDir();
    using queue = new UploadQueue(dir.join("queue.db"), { engine });
    const id = queue.enqueue("/captures/door.png", { title: "Door 3" });
    const pending = queue.getPending();
    assertEquals(pending.length, 1);
    assertEquals(pending[0]?.id, id);
    assertEquals(pending[0]?.filepath, "/captures/door.png");
    assertEquals(JSON.parse(pending[0]!.metadataJson), { title: "Door 3" });
    queue.markUploading(id);
    assertEquals(queue.get(id)?.status, "uploading");
    queue.markCompleted(id);
    assertEquals(queue.getPending(), []);
  },
);

testOnEachEngine("the queue survives a restart", async (engine) => {
  await using dir = new TempDir();
  const path = dir.join("queue.db");
  const before = new UploadQueue(path, { engine });
  const id = before.enqueue("/captures/door.png", { title: "Door 3" });
  const [pending] = before.getPending();
  before.close();
  using after = new UploadQueue(path, { engine });
  assertEquals(after.getPending(), [pending!]);
  assertEquals(after.getPending()[0]?.id, id);
});
