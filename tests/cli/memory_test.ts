import { assert, assertEquals } from "@std/assert";
import { MemoryKeeper } from "../../sync/cli/memory.ts";
import { projectPath } from "../../scripts/task/bindings.ts";

const MIB = 1024 * 1024;

/** A keeper in a process whose clock and memory the test sets. */
class Scene {
  nowMs = 0;
  bytes = 60 * MIB;
  /** What a release leaves. */
  keeps = 60 * MIB;
  released = 0;
  readonly keeper = new MemoryKeeper({
    residentBytes: () => this.bytes,
    now: () => this.nowMs,
  });

  /** Seconds in which nothing is done. */
  idle(seconds: number): void {
    for (let n = 0; n < seconds; n++) {
      this.nowMs += 1000;
      this.#turn();
    }
  }

  #turn(): void {
    this.keeper.turn(() => {
      this.released++;
      this.bytes = this.keeps;
    });
  }

  work(bytes: number): void {
    this.bytes += bytes;
    this.keeper.worked();
    this.#turn();
  }
}

Deno.test("MemoryKeeper gives memory back once behind a burst, not within it", () => {
  const scene = new Scene();
  scene.idle(10);
  assertEquals(scene.released, 1);
  for (let n = 0; n < 20; n++) {
    scene.work(MIB);
    scene.idle(4);
  }
  assertEquals(scene.released, 1);
  scene.idle(60);
  assertEquals(scene.released, 2);
});

Deno.test("MemoryKeeper does nothing for little, until it has become much", () => {
  const scene = new Scene();
  scene.idle(10);
  scene.work(MIB / 3);
  scene.idle(60);
  assertEquals(scene.released, 1);
  scene.work(MIB / 3);
  scene.idle(60);
  assertEquals(scene.released, 2);
});

Deno.test("MemoryKeeper gives back what was taken by something else than work", () => {
  const scene = new Scene();
  scene.idle(10);
  scene.bytes += 3 * MIB;
  scene.idle(60);
  assertEquals(scene.released, 2);
});

Deno.test("MemoryKeeper counts what is given back only a moment later", () => {
  const scene = new Scene();
  scene.keeps = 80 * MIB;
  scene.idle(10);
  scene.bytes = 60 * MIB;
  scene.idle(10);
  assertEquals(scene.released, 1);
  scene.bytes += MIB;
  scene.idle(10);
  assertEquals(scene.released, 2);
});

Deno.test("releaseMemory() gives back what garbage took", async () => {
  const script = `
    import { releaseMemory } from "${new URL(
    `file://${projectPath("sync/cli/memory.ts")}`,
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
