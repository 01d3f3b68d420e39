/** The files that the demo hands over, with their names and hashes. */

import { basename, join } from "@std/path";
import { CaptureFilter } from "../../sync/watch/capture_filter.ts";
import { drawImage, type ImageOptions } from "./images.ts";
import { hashFile, type SentCapture } from "./verdict.ts";

/** Makes captures, and remembers their names and bytes for the comparison. */
export class DemoCaptures {
  /** Everything made so far. */
  readonly sent: SentCapture[] = [];
  /** The size of all of it. */
  bytes = 0;
  readonly #signal: AbortSignal;
  readonly #filter = new CaptureFilter();

  /** @param signal ends the making after the next file when it aborts. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Copies a folder and its subfolders; the original is only read. */
  async copy(from: string, to: string): Promise<void> {
    await Deno.mkdir(to, { recursive: true });
    const entries = await Array.fromAsync(Deno.readDir(from));
    const names = new Set(entries.map((entry) => entry.name));
    for (const { name, isFile, isDirectory } of entries) {
      const kind = isDirectory ? "folder" : isFile ? "file" : "other";
      // The agent ignores these; and names that are not valid UTF-8 cannot be copied.
      if (this.#filter.objection(name, kind) || /\ufffd/.test(name)) continue;
      if (isDirectory) await this.copy(join(from, name), join(to, name));
      const isJson = name.endsWith(".json");
      // The metadata of the file beside it, or of none.
      if (!isFile || isJson && !names.has(name.slice(0, -5))) continue;
      await Deno.copyFile(join(from, name), join(to, name));
      if (!isJson) await this.#add(join(to, name));
    }
  }

  /** Draws pictures into a folder and returns their paths. */
  async draw(
    folder: string,
    pictures: Omit<ImageOptions, "seed">[],
  ): Promise<string[]> {
    const paths: string[] = [];
    for (const picture of pictures) {
      const seed = this.sent.length + 1;
      const name = `evening 📷 ${String(seed).padStart(2, "0")}.bmp`;
      const path = join(folder, name);
      await Deno.writeFile(path, drawImage({ ...picture, seed }));
      await this.#add(path);
      paths.push(path);
    }
    return paths;
  }

  async #add(path: string): Promise<void> {
    this.#signal.throwIfAborted();
    this.sent.push({ filename: basename(path), sha256: await hashFile(path) });
    this.bytes += (await Deno.stat(path)).size;
  }
}
