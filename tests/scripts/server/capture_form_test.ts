import { assertEquals, assertRejects } from "@std/assert";
import {
  type CaptureForm,
  receiveForm,
} from "../../../scripts/server/capture_form.ts";
import { IncomingCapture } from "../../../scripts/server/incoming_capture.ts";
import { Refusal } from "../../../scripts/server/refusal.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const CONTENT = "one\r\n--two\r\n";

/** A form as `fetch` sends it. */
async function formOf(
  filename: string,
): Promise<{ body: Uint8Array; contentType: string | null }> {
  const form = new FormData();
  form.append("metadata", '{"title":"été 📷"}');
  form.append("file", new Blob([CONTENT], { type: "image/png" }), filename);
  const response = new Response(form);
  const contentType = response.headers.get("content-type");
  return { body: new Uint8Array(await response.arrayBuffer()), contentType };
}

/** Receives a form that comes in pieces of `size` bytes. */
async function receive(
  body: Uint8Array,
  contentType: string | null,
  size = body.length,
): Promise<CaptureForm & { bytes: number }> {
  async function* pieces() {
    for (let at = 0; at < body.length; at += size) {
      yield body.slice(at, at + size);
    }
  }
  await using dir = new TempDir();
  await using incoming = await IncomingCapture.create(dir.join("file"), false);
  const form = await receiveForm(pieces(), contentType, incoming);
  return { ...form, bytes: (await incoming.finish()).size };
}

Deno.test("receiveForm() reads what fetch sends, in pieces of any size", async () => {
  const { body, contentType } = await formOf("shot.png");
  for (let size = 1; size <= body.length; size += size < 80 ? 1 : 37) {
    assertEquals(await receive(body, contentType, size), {
      filename: "shot.png",
      contentType: "image/png",
      metadata: '{"title":"été 📷"}',
      expectedSha256: undefined,
      bytes: CONTENT.length,
    }, `pieces of ${size}`);
  }
});

Deno.test("receiveForm() refuses a form that is cut short, wherever that is", async () => {
  const { body, contentType } = await formOf("shot.png");
  for (let length = 0; length < body.length - "--\r\n".length; length++) {
    const cut = body.slice(0, length);
    const error = await assertRejects(() => receive(cut, contentType), Refusal);
    assertEquals(error.status, 400, `cut after ${length} bytes`);
  }
});

Deno.test("receiveForm() gives file names back as they were before they were escaped", async () => {
  const names = [
    'say "hi".png',
    "two\nlines\r.png",
    "📷 é.png",
    "a\\b",
    "C:\\x",
  ];
  for (const name of [...names, '; name="x"; .png', "../up"]) {
    const { body, contentType } = await formOf(name);
    assertEquals((await receive(body, contentType)).filename, name);
  }
});
