import { assert } from "@std/assert";
import { TempDir } from "../helpers/temp_dir.ts";
import { startWatchProcess } from "../helpers/watch_process.ts";

const ignore = Deno.build.os !== "linux";
/** Quick to write to. */
const IN_MEMORY = "/dev/shm";

Deno.test({
  name: "a folder of very many files is looked through in little memory",
  ignore,
  async fn() {
    await using dir = new TempDir(IN_MEMORY);
    for (let i = 0; i < 200_000; i++) {
      Deno.writeTextFileSync(dir.join(`capture-${i}.png`), "");
    }
    await using agent = await startWatchProcess(dir.path, { allKnown: true });
    assert(agent.peakMb < 160, `${agent.peakMb} MB`);
  },
});

Deno.test({
  name: "a folder of odd sidecars is taken over in bounded memory",
  ignore,
  async fn() {
    await using dir = new TempDir(IN_MEMORY);
    const brackets = `{"a":[${Array(349_000).fill("[]").join()}]}`;
    for (let i = 0; i < 100; i++) {
      dir.write(`${i}.png`, "");
      dir.write(`${i}.png.json`, brackets);
    }
    await using agent = await startWatchProcess(dir.path, { settleMs: 0 });
    assert(agent.names.length === 100, agent.stderr);
    assert(agent.peakMb < 600, `${agent.peakMb} MB`);
  },
});
