/** Draws pictures for the demo: real PNG files, no two alike, the same every time. */

/** What a picture is to look like. */
export interface ImageOptions {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** Which picture: every number gives another one. */
  seed: number;
  /**
   * How grainy it is, from 0 to 255. Grain is what makes a PNG large: with 64
   * it has about 2.5 bytes for each pixel, without any a few thousand in all.
   *
   * @default {0}
   */
  grain?: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const BYTES_PER_PIXEL = 3;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc;
});

/**
 * Draws hills under an evening sky and returns them as a PNG file.
 *
 * The same options give the same picture, and with the same version of Deno the
 * same bytes.
 */
export async function drawImage(
  options: ImageOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height } = options;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits for each colour
  header.setUint8(9, 2); // red, green, blue
  const pixels = new Blob([drawPixels(options)]).stream()
    .pipeThrough(new CompressionStream("deflate"));
  const parts = [
    Uint8Array.from(SIGNATURE),
    ...chunk("IHDR", new Uint8Array(header.buffer)),
    ...chunk("IDAT", new Uint8Array(await new Response(pixels).arrayBuffer())),
    ...chunk("IEND", new Uint8Array()),
  ];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The rows from top to bottom, each behind a 0: it is stored as it is. */
function drawPixels(options: ImageOptions): Uint8Array<ArrayBuffer> {
  const { width, height, seed, grain = 0 } = options;
  const random = randomNumbers(seed);
  const hue = random();
  const sun = {
    x: (0.2 + 0.6 * random()) * width,
    y: (0.2 + 0.3 * random()) * height,
    radius: 0.08 * height,
  };
  const hills = Array.from({ length: 3 }, (_, i) => ({
    base: 0.6 + 0.12 * i,
    waves: 1 + 3 * random(),
    phase: 7 * random(),
  }));
  const rowBytes = 1 + width * BYTES_PER_PIXEL;
  const pixels = new Uint8Array(height * rowBytes);
  for (let x = 0; x < width; x++) {
    const ridges = hills.map(({ base, waves, phase }) =>
      height * (base + 0.06 * Math.sin(phase + waves * 6.28 * x / width))
    );
    for (let y = 0; y < height; y++) {
      const depth = ridges.filter((ridge) => y > ridge).length;
      const isSun = depth === 0 &&
        Math.hypot(x - sun.x, y - sun.y) < sun.radius;
      const light = depth > 0 ? 0.5 - 0.13 * depth : 1 - 0.5 * (1 - y / height);
      const at = y * rowBytes + 1 + x * BYTES_PER_PIXEL;
      for (let color = 0; color < BYTES_PER_PIXEL; color++) {
        const tint = 0.7 + 0.3 * Math.cos(6.28 * (hue + color / 3));
        pixels[at + color] = isSun ? 255 - grain : (255 - grain) * light * tint;
        if (grain > 0) pixels[at + color]! += grain * random();
      }
    }
  }
  return pixels;
}

/** Numbers from 0 to 1 that look random and are always the same (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Length, type, content and checksum: what a PNG file is made of. */
function chunk(
  type: string,
  content: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer>[] {
  const name = Uint8Array.from(type, (letter) => letter.charCodeAt(0));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, content.length);
  let crc = ~0;
  for (const bytes of [name, content]) {
    for (const byte of bytes) {
      crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
    }
  }
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, ~crc >>> 0);
  return [length, name, content, checksum];
}
