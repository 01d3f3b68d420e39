/**
 * A peer of the benchmark: Deno's `fetch` and nothing else, without queue,
 * retry or checks. Prints how long the uploads took.
 *
 * @module
 */

import process from "node:process";
import { readInput } from "../children.ts";

interface Input {
  server: string;
  paths: string[];
  /** How many of the paths are sent first, to warm up. */
  warmUp: number;
  concurrency: number;
  /** Native `FormData`; the same bytes in one piece; that with the file read synchronously. */
  body: "form" | "piece" | "piece-sync";
}

const BOUNDARY = "----bare-fetch-00000000000000000000";
const encoder = new TextEncoder();
const TAIL = encoder.encode(`\r\n--${BOUNDARY}--\r\n`);

function metadataOf(name: string): string {
  return JSON.stringify({ filename: name, door: 3 });
}

function onePiece(name: string, file: Uint8Array): BodyInit {
  const head = encoder.encode(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n` +
      `${metadataOf(name)}\r\n--${BOUNDARY}\r\n` +
      `Content-Disposition: form-data; name="file"; filename="${name}"\r\n` +
      "Content-Type: image/png\r\n\r\n",
  );
  const body = new Uint8Array(head.length + file.length + TAIL.length);
  body.set(head);
  body.set(file, head.length);
  body.set(TAIL, head.length + file.length);
  return body;
}

async function send(path: string, input: Input): Promise<void> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const headers: Record<string, string> = {};
  let body: BodyInit;
  if (input.body === "form") {
    const form = new FormData();
    form.append("metadata", metadataOf(name));
    const file = await Deno.readFile(path);
    form.append("file", new Blob([file], { type: "image/png" }), name);
    body = form;
  } else {
    const file = input.body === "piece"
      ? await Deno.readFile(path)
      : Deno.readFileSync(path);
    body = onePiece(name, file);
    headers["content-type"] = `multipart/form-data; boundary=${BOUNDARY}`;
  }
  const response = await fetch(`${input.server}/api/captures`, {
    method: "POST",
    body,
    headers,
  });
  const { id } = await response.json();
  if (id === undefined) throw new Error("The receiver named no id");
}

async function sendAll(paths: string[], input: Input): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: input.concurrency }, async () => {
    while (next < paths.length) await send(paths[next++]!, input);
  }));
}

if (import.meta.main) {
  const input = await readInput<Input>();
  await sendAll(input.paths.slice(0, input.warmUp), input);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await sendAll(input.paths.slice(input.warmUp), input);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000 }));
}
