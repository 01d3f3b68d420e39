/** Draws pictures for the demo: real BMP files, which need no compression. */

/** The size and the kind of a picture. */
export interface ImageOptions {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** The number of the picture: each gives another one. */
  seed: number;
}

const HEADER_BYTES = 54;
const CHANNELS = 3;

/** Draws a hill under an evening sky and returns it as a BMP file. */
export function drawImage(options: ImageOptions): Uint8Array<ArrayBuffer> {
  const { width, height, seed } = options;
  // Rows are padded to four bytes, and stored from the bottom to the top.
  const rowBytes = Math.ceil(width * CHANNELS / 4) * 4;
  const file = new Uint8Array(HEADER_BYTES + height * rowBytes);
  const header = new DataView(file.buffer);
  header.setUint16(0, 0x424d); // "BM"
  header.setUint32(2, file.length, true);
  header.setUint32(10, HEADER_BYTES, true);
  header.setUint32(14, HEADER_BYTES - 14, true);
  header.setInt32(18, width, true);
  header.setInt32(22, height, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 8 * CHANNELS, true);
  for (let x = 0; x < width; x++) {
    const ridge = height * (0.3 + 0.1 * Math.sin(seed + 6 * x / width));
    for (let y = 0; y < height; y++) {
      const light = y > ridge ? 1 - y / height / 2 : 0.2;
      const at = HEADER_BYTES + y * rowBytes + x * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++) {
        const tint = 0.7 + 0.3 * Math.cos(seed + 2 * channel);
        file[at + channel] = 255 * light * tint;
      }
    }
  }
  return file;
}
