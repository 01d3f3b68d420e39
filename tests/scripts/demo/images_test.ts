import { assertEquals, assertNotEquals } from "@std/assert";
import { drawImage } from "../../../scripts/demo/images.ts";

Deno.test("drawImage() writes a BMP file of the size it was asked for, its rows padded", () => {
  const file = drawImage({ width: 31, height: 17, seed: 1 });
  const header = new DataView(file.buffer);
  assertEquals(new TextDecoder().decode(file.subarray(0, 2)), "BM");
  assertEquals([header.getInt32(18, true), header.getInt32(22, true)], [
    31,
    17,
  ]);
  assertEquals(file.length, header.getUint32(10, true) + 17 * 96);
  assertEquals(header.getUint32(2, true), file.length);
});

Deno.test("drawImage() draws another picture for another seed", () => {
  const size = { width: 64, height: 40 };
  const [one, other] = [1, 2].map((seed) => drawImage({ ...size, seed }));
  assertNotEquals(one, other);
});
