/**
 * Holds a queue open, `ENGINE PATH`, with a capture that it has put into it. With the
 * next line on standard input it puts a second one in, with the third it closes the
 * queue and ends. Answers each with a line of JSON.
 */

import { UploadQueue } from "../../sync/queue/queue.ts";
import type { Engine } from "../../sync/queue/sqlite.ts";

const [engine, path] = Deno.args as [Engine, string];
const queue = new UploadQueue(path, { engine });
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  [Symbol.asyncIterator]();

console.log(JSON.stringify(enqueue()));
await lines.next();
console.log(JSON.stringify(enqueue()));
await lines.next();
queue.close();
console.log("{}");
// As the program ends.
Deno.exit(0);

function enqueue(): { id?: string; error?: string } {
  try {
    return { id: queue.enqueue("/captures/held") };
  } catch (error) {
    return { error: (error as Error).message };
  }
}
