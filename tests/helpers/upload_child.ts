/** Uploads a file to one server after the other, and prints what came of it, and by how much the memory grew at most. */
import { CaptureUploader } from "../../sync/upload/uploader.ts";

const [path = "", ...urls] = Deno.args;
const results = [];
for (const url of urls) {
  await using uploader = new CaptureUploader(url, {
    maxRetries: 1,
    allowInsecure: true,
  });
  await uploader.uploadBytes(new Uint8Array(2_000_000), "warm-up");
  const before = Deno.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, Deno.memoryUsage().rss);
  }, 10);
  const uploads = Array.from({ length: 4 }, () => uploader.upload(path));
  const [first] = await Promise.all(uploads);
  const { success, error } = first!;
  clearInterval(timer);
  results.push({ success, error, grownBytes: most - before });
}
console.log(JSON.stringify(results));
