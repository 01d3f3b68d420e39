/** Draws pictures for the demo: real PNG files. */

import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";

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
const CHANNELS = 3;

/** Draws a hill under an evening sky and returns it as a PNG file. */
export function drawImage(options: ImageOptions): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(options.width, 0);
  header.writeUInt32BE(options.height, 4);
  header.set([8, 2], 8); // 8 bits for each of red, green and blue
  return new Uint8Array(Buffer.concat([
    Buffer.from(SIGNATURE),
    ...chunk("IHDR", header),
    ...chunk("IDAT", deflateSync(drawRows(options))),
    ...chunk("IEND", new Uint8Array()),
  ]));
}

/** The rows from top to bottom, each after a 0: its pixels are stored as they are. */
function drawRows(options: ImageOptions): Uint8Array {
  const { width, height, seed, grain = 0 } = options;
  const rowBytes = 1 + width * CHANNELS;
  const rows = new Uint8Array(height * rowBytes);
  for (let x = 0; x < width; x++) {
    const ridge = height * (0.7 + 0.1 * Math.sin(seed + 6 * x / width));
    for (let y = 0; y < height; y++) {
      const light = y < ridge ? 0.5 + 0.5 * y / height : 0.2;
      const at = y * rowBytes + 1 + x * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++) {
        const tint = 0.7 + 0.3 * Math.cos(seed + 2 * channel);
        rows[at + channel] = (255 - grain) * light * tint +
          grain * Math.random();
      }
    }
  }
  return rows;
}

/** Length, type, content and checksum: what a PNG file is made of. */
function chunk(type: string, content: Uint8Array): Uint8Array[] {
  const typed = Buffer.concat([Buffer.from(type), content]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  checksum.writeUInt32BE(crc32(typed));
  return [length, typed, checksum];
}
