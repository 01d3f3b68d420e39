import { type Props, Scene } from "./scenes.ts";
import type { Survival } from "./shadowed_disk.ts";

/** Plays a scene up to a power cut just before the nth sync; returns whether it came to that. */
type Play = (scene: Scene, cutAt: number) => Promise<boolean>;

/** What goes on when the power is cut. */
export const SCENARIOS = {
  "captures are copied into the spool, and then the queue is lost": async (
    scene,
    cutAt,
  ) => {
    scene.queueIsLost = true;
    await scene.begin();
    return await scene.enqueue([scene.make(scene.makers)], { cutAt });
  },
  "captures are copied into the spool": async (scene, cutAt) => {
    await scene.enqueue([scene.make(scene.makers)]);
    await scene.begin();
    const captures = [scene.make(scene.makers), scene.make(scene.makers)];
    return await scene.enqueue(captures, { cutAt });
  },
  "captures are moved into the spool": async (scene, cutAt) => {
    await scene.enqueue([scene.make(scene.makers)]);
    const captures = [scene.make(scene.makers)];
    await scene.begin();
    return await scene.enqueue(captures, { cutAt, args: ["--move"] });
  },
  "captures are queued in place": async (scene, cutAt) => {
    await scene.enqueue([scene.make(scene.makers)]);
    const captures = [scene.make(scene.makers), scene.make(scene.makers)];
    await scene.begin();
    return await scene.enqueue(captures, { cutAt, args: ["--no-copy"] });
  },
  "captures and watched files are delivered": async (scene, cutAt) => {
    await scene.enqueue([scene.make(scene.makers)]);
    await scene.enqueue([scene.make(scene.makers)], { args: ["--no-copy"] });
    for (let i = 0; i < 2; i++) {
      const capture = scene.maker.make(scene.watched, 100, {});
      scene.oracle.note(capture, "owed");
    }
    await scene.begin();
    return await scene.deliver(cutAt);
  },
} satisfies Record<string, Play>;

/** What goes on when the power is cut, by its name. */
export type ScenarioName = keyof typeof SCENARIOS;

/**
 * Cuts the power before the first sync, the second, and so on, and at last after the
 * end of the program; yields the faults in what is delivered afterwards.
 */
export async function* cutAtEverySync(
  scenario: ScenarioName,
  props: Props,
): AsyncGenerator<string> {
  for (let cutAt = 1, wasCut = true; wasCut; cutAt++) {
    await using scene = new Scene(props);
    wasCut = await SCENARIOS[scenario](scene, cutAt);
    await scene.cut();
    // Before anything is owed, what matters is that the host starts again.
    const survivals: Survival[] = scene.oracle.owed === 0
      ? [{ mixed: cutAt }]
      : ["synced", cutAt % 2 ? "names" : { mixed: cutAt }];
    for (const survival of survivals) {
      const faults = await scene.restart(survival);
      const when = wasCut ? `before sync ${cutAt}` : "after the end";
      for (const fault of faults) yield `Cut ${when}. ${fault}`;
    }
  }
}
