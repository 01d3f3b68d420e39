import { assert, assertEquals } from "@std/assert";
import { TempDir } from "../helpers/temp_dir.ts";
import { startWatchProcess } from "../helpers/watch_process.ts";

const ignore = Deno.build.os !== "linux";
/** Quick to write to. */
const IN_MEMORY = "/dev/shm";

Deno.test({
  name: "a folder of very many files is taken over in little memory",
  ignore,
  async fn() {
    await using dir = new TempDir(IN_MEMORY);
    const peaksMb: number[] = [];
    for (const [from, to] of [[0, 30_000], [30_000, 100_000]] as const) {
      for (let i = from; i < to; i++) {
        Deno.writeTextFileSync(dir.join(`capture-${i}.png`), "");
      }
      await using agent = await startWatchProcess(dir.path, { settleMs: 0 });
      assertEquals(agent.names.length, to, agent.stderr);
      peaksMb.push(agent.peakMb);
    }
    assert(peaksMb[1]! < peaksMb[0]! + 80, `${peaksMb.join(" and ")} MB`);
  },
});

Deno.test({
  name: "a folder of odd sidecars is taken over in bounded memory",
  ignore,
  async fn() {
    await using dir = new TempDir(IN_MEMORY);
    const brackets = `{"a":[${Array(349_000).fill("[]").join()}]}`;
    const sidecar = dir.write(".sidecar", brackets);
    for (let i = 0; i < 200; i++) {
      dir.write(`${i}.png`, "");
      Deno.linkSync(sidecar, dir.join(`${i}.png.json`));
    }
    await using agent = await startWatchProcess(dir.path, { settleMs: 0 });
    assertEquals(agent.names.length, 200, agent.stderr);
    assert(agent.peakMb < 380, `${agent.peakMb} MB`);
  },
});
