import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { Bandwidth } from "../../sync/upload/bandwidth.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { sampleBytes } from "../helpers/sample_bytes.ts";
import { TempDir } from "../helpers/temp_dir.ts";

Deno.test("Bandwidth lets no more leave than it should, and keeps little of what was not used", () => {
  let nowMs = 0;
  const bandwidth = new Bandwidth(() => 1000, { now: () => nowMs });
  // A quarter of a second was saved up.
  assertEquals(bandwidth.reserve(500)(), 0);
  assertEquals(bandwidth.reserve(1000)(), 250);
  assertEquals(bandwidth.reserve(1)(), 1250);
  nowMs = 100_000;
  assertEquals(bandwidth.reserve(250)(), 0);
  assertEquals(bandwidth.reserve(100)(), 0);
  assertEquals(bandwidth.reserve(100)(), 100);
});

Deno.test("Bandwidth lets less leave at a time on a slow line", () => {
  const pieces = [1024, 80_000, 1e9].map((rate) =>
    new Bandwidth(() => rate).pieceBytes
  );
  assertEquals(pieces, [4096, 10_000, 256 * 1024]);
});

Deno.test("Bandwidth holds back what waits as long as the rate of the moment says", () => {
  let [nowMs, rate] = [0, 1000];
  const bandwidth = new Bandwidth(() => rate, { now: () => nowMs });
  bandwidth.reserve(2250);
  const left = bandwidth.reserve(1000);
  assertEquals(left(), 2000);
  nowMs = 1000;
  assertEquals(left(), 1000);
  rate = 100;
  assertEquals(left(), 10_000);
  rate = Infinity;
  assertEquals([left(), bandwidth.reserve(1e9)()], [0, 0]);
  rate = 1000;
  assertEquals(bandwidth.reserve(250)(), 0);
  assertEquals(bandwidth.reserve(1)(), 0);
  assertEquals(bandwidth.reserve(1)(), 1);
});

Deno.test("Another bandwidth takes effect in uploads that are under way", async () => {
  await using server = new CaptureServer();
  let rate = 1024;
  await using uploader = new CaptureUploader(server.url, {
    bandwidth: () => rate,
  });
  // At the first rate this would take a quarter of an hour.
  const data = sampleBytes(1_000_000);
  const uploads = ["a", "b"].map((name) => uploader.uploadBytes(data, name));
  await eventually("both are under way", () => server.inFlight === 2);
  rate = Infinity;
  const results = await Promise.all(uploads);
  assertEquals(results.map(({ success }) => success), [true, true]);
  assertEquals(server.uploads.map(({ bytes }) => bytes), [data, data]);
});

Deno.test("All uploads together keep to the bandwidth, slower than their timeout, and arrive whole", async () => {
  await using server = new CaptureServer();
  await using dir = new TempDir();
  await using uploader = new CaptureUploader(server.url, {
    bandwidth: 400_000,
    timeout: 300,
    maxRetries: 1,
  });
  const bytes = new Uint8Array(100_000).map((_, at) => at % 251);
  const paths = ["a", "b", "c"].map((name) => dir.write(name, bytes));
  const startedMs = performance.now();
  const small = uploader.uploadBytes(bytes.subarray(0, 50_000), "d");
  const results = await Promise.all([
    ...paths.map((path) => uploader.upload(path)),
    small,
  ]);
  // Half a second, on the fastest machine too: 150,000 of 350,000 bytes leave at once.
  assert(performance.now() - startedMs > 400, "it took its time");
  assertEquals(results.map(({ error }) => error), [null, null, null, null]);
  const sizes = server.uploads.map((upload) => upload.bytes.length);
  assertEquals(sizes.sort(), [100_000, 100_000, 100_000, 50_000]);
  assertEquals(
    server.uploads.find(({ filename }) => filename === "b")!.bytes,
    bytes,
  );
});

Deno.test("An upload that waits for its turn on a slow line ends at once when it is aborted", async () => {
  await using server = new CaptureServer();
  const stop = new AbortController();
  await using uploader = new CaptureUploader(server.url, {
    bandwidth: 1024,
    // The first piece leaves at once, and the second one waits.
    onSent: () => setTimeout(() => stop.abort(new Error("enough"))),
  });
  const data = new Uint8Array(100_000);
  const upload = uploader.uploadBytes(data, "a", {}, { signal: stop.signal });
  // It would take a minute and a half.
  const ended = deadline(upload, 15_000);
  await assertRejects(() => ended, Error, "enough");
  assertEquals(server.uploads, []);
});

Deno.test("CaptureUploader refuses a bandwidth that nothing gets through", () => {
  assertThrows(
    () => new CaptureUploader("http://127.0.0.1", { bandwidth: 0 }),
    RangeError,
    "bandwidth",
  );
});
