import { assert, assertEquals } from "@std/assert";
import { MemoryKeeper } from "../../../sync/cli/daemon/memory.ts";
import { projectPath } from "../../../scripts/task/bindings.ts";

const MIB = 1024 * 1024;

Deno.test("MemoryKeeper gives memory back once after each burst, not within it", () => {
  let nowMs = 0;
  let released = 0;
  const keeper = new MemoryKeeper(() => nowMs);
  const idle = (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      nowMs += 1000;
      keeper.turn(() => released++);
    }
  };
  idle(4);
  assertEquals(released, 0);
  idle(60);
  assertEquals(released, 1, "to start is work");
  for (let n = 0; n < 20; n++) {
    keeper.worked();
    idle(4);
  }
  assertEquals(released, 1);
  idle(60);
  assertEquals(released, 2);
});

Deno.test("releaseMemory() gives back what garbage took", async () => {
  const script = `
    import { releaseMemory } from "${new URL(
    `file://${projectPath("sync/cli/daemon/memory.ts")}`,
  )}";
    const make = () => Array.from({ length: 1e6 }, (_, n) => ({ n }));
    const count = make().length;
    const before = Deno.memoryUsage().rss;
    releaseMemory();
    console.log(count, before - Deno.memoryUsage().rss);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-config",
      "--no-lock",
      "--v8-flags=--expose-gc",
      script,
    ],
  }).output();
  const [, freed] = new TextDecoder().decode(stdout).split(" ");
  assert(Number(freed) > 10 * MIB, `${freed} bytes`);
});
