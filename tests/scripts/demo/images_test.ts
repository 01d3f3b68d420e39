import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { crc32, inflateSync } from "node:zlib";
import { drawImage } from "../../../scripts/demo/images.ts";

/** Takes a PNG file apart, the checksum of each piece checked. */
function readPng(file: Uint8Array): Map<string, Uint8Array> {
  assertEquals([...file.subarray(0, 8)], [
    0x89,
    0x50,
    0x4e,
    0x47,
    0x0d,
    0x0a,
    0x1a,
    0x0a,
  ]);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pieces = new Map<string, Uint8Array>();
  for (let at = 8; at < file.length;) {
    const length = view.getUint32(at);
    const typed = file.subarray(at + 4, at + 8 + length);
    assertEquals(view.getUint32(at + 8 + length), crc32(typed));
    pieces.set(
      new TextDecoder().decode(typed.subarray(0, 4)),
      typed.subarray(4),
    );
    at += 12 + length;
  }
  return pieces;
}

Deno.test("drawImage() writes a PNG file of the size it was asked for", () => {
  for (const grain of [0, 64]) {
    const pieces = readPng(
      drawImage({ width: 31, height: 17, seed: 1, grain }),
    );
    assertEquals([...pieces.keys()], ["IHDR", "IDAT", "IEND"]);
    const header = new DataView(Uint8Array.from(pieces.get("IHDR")!).buffer);
    assertEquals([header.getUint32(0), header.getUint32(4)], [31, 17]);
    const pixels = inflateSync(pieces.get("IDAT")!);
    assertEquals(pixels.length, 17 * (1 + 31 * 3));
    for (let row = 0; row < 17; row++) {
      assertEquals(pixels[row * (1 + 31 * 3)], 0);
    }
  }
});

Deno.test("drawImage() draws another picture for another seed, larger the grainier it is", () => {
  const size = { width: 640, height: 400 };
  const [one, other] = [1, 2].map((seed) => drawImage({ ...size, seed }));
  assertNotEquals(one, other);
  assert(one!.length < 20_000);
  const grainy = drawImage({ ...size, seed: 1, grain: 64 });
  assert(grainy.length > 2 * 640 * 400);
});
