/**
 * A peer of the benchmark: Deno's `fetch` and nothing else, without queue,
 * retry or checks. Prints how many milliseconds the uploads took.
 *
 * @module
 */
import { basename } from "@std/path";
import { readInput } from "../programs.ts";

/** The captures to send, and how. */
export interface BareFetchInput {
  server: string;
  paths: string[];
  /** How many of the paths are sent first, to warm up. */
  warmUp: number;
  concurrency: number;
  /** Native `FormData`, or the same bytes in one piece. */
  body: "form" | "piece";
}

/** The upload of a capture, as `fetch` takes it. */
async function uploadOf(path: string, isForm: boolean): Promise<RequestInit> {
  const form = new FormData();
  const file = new Blob([await Deno.readFile(path)], { type: "image/png" });
  form.append("metadata", '{"door":3}');
  form.append("file", file, basename(path));
  if (isForm) return { method: "POST", body: form };
  const encoded = new Response(form);
  const { headers } = encoded;
  return { method: "POST", body: await encoded.bytes(), headers };
}

async function sendAll(paths: string[], input: BareFetchInput): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: input.concurrency }, async () => {
    while (next < paths.length) {
      const upload = await uploadOf(paths[next++]!, input.body === "form");
      const response = await fetch(`${input.server}/api/captures`, upload);
      await response.json();
    }
  }));
}

if (import.meta.main) {
  const input = await readInput<BareFetchInput>();
  await sendAll(input.paths.slice(0, input.warmUp), input);
  const start = performance.now();
  await sendAll(input.paths.slice(input.warmUp), input);
  console.log(JSON.stringify(performance.now() - start));
}
