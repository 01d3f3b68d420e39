/** Uploads a file to a server, and prints by how much the memory grew at most. */
import { CaptureUploader } from "../../sync/upload/uploader.ts";

const [url = "", path = ""] = Deno.args;
await using uploader = new CaptureUploader(url, { maxRetries: 1 });
await uploader.uploadBytes(new Uint8Array(2_000_000), "warm-up");
const before = Deno.memoryUsage().rss;
let most = before;
const timer = setInterval(() => {
  most = Math.max(most, Deno.memoryUsage().rss);
}, 10);
const { success } = await uploader.upload(path);
clearInterval(timer);
console.log(JSON.stringify({ success, grownBytes: most - before }));
