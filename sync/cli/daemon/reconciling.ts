import type { Log } from "../../host/log.ts";
import { messageOf } from "../../host/message_of.ts";
import { reconcileSpool } from "../../spool/reconcile.ts";
import { originalsOf } from "./originals.ts";
import type { Store } from "../store.ts";

/** Brings queue and spool into line; an error is logged, and holds up nothing. */
export async function reconcile(
  { queue, spool }: Store,
  options: { log: Log; signal: AbortSignal },
): Promise<void> {
  const { pid, serverUrl } = queue.getAgentState();
  // Without a server no agent was ever here: the queue may have been made in the
  // place of a damaged one.
  const endedInOrder = pid === null && serverUrl !== null;
  try {
    const { openOriginal } = originalsOf(queue);
    await reconcileSpool(queue, spool, {
      ...options,
      endedInOrder,
      openOriginal,
    });
  } catch (error) {
    options.log(
      "error",
      `Cannot look through the spool: ${messageOf(error)}`,
    );
  }
}
