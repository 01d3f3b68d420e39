/**
 * Measures how fast files are handed over from a library, one by one: prints
 * how many a second.
 *
 * @module
 */
import { readInput } from "../programs.ts";
import { Store } from "./store.ts";

if (import.meta.main) {
  const { dataDir, paths } = await readInput<
    { dataDir: string; paths: string[] }
  >();
  using store = new Store(dataDir);
  // As on a host that has been in use: the spool has its folders.
  await store.enqueue(paths);
  const start = performance.now();
  await store.enqueue(paths);
  console.log(paths.length / (performance.now() - start) * 1000);
}
