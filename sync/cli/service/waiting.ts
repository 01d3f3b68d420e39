import { capturesWait } from "../../host/counted.ts";
import { tryTo } from "../../host/try_to.ts";
import { waitingIn } from "../../monitor/judge.ts";
import type { Settings } from "../config.ts";
import { lookInto } from "../store.ts";

/** Counts the captures that wait in a data directory; `undefined` if it cannot be told. */
function countWaiting(settings: Settings): number | undefined {
  return tryTo(() => {
    using look = lookInto(settings);
    return look ? waitingIn(look.queue.getStats()) : 0;
  });
}

/** The line that says where the queue of a service that was removed stays. */
export function queueStays(settings: Settings): string {
  const { dataDir } = settings;
  const waiting = countWaiting(settings);
  return `The queue stays in "${dataDir}"` +
    (waiting ? `; ${capturesWait(waiting)} in it` : "");
}
