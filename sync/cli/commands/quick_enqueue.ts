/**
 * `enqueue` where nothing is in its way, so that whoever makes captures need not
 * wait for the rest of the program to be loaded. An executable has it in a file of
 * its own, with all that it needs.
 *
 * @module
 */

import type { Surroundings } from "../cli.ts";
import { parseCommandLine } from "../command_line.ts";
import { COMMANDS } from "../commands.ts";
import { contextOf } from "../context.ts";
import { enqueueEach } from "./enqueue_each.ts";
import { explain } from "../explain.ts";
import { readMetadata } from "../metadata_options.ts";
import { openStoreInUse } from "../store.ts";

/**
 * Queues the files of a command line and returns the exit code, or `undefined` if
 * it would take, or is to be told, more than that: nothing has been done then.
 */
export async function enqueueQuickly(
  args: string[],
  around: Surroundings,
): Promise<number | undefined> {
  const line = readLine(args, around);
  if (!line) return undefined;
  const { context, metadata } = line;
  const store = openStoreInUse(context.settings);
  if (!store) return undefined;
  try {
    const code = await enqueueEach(context, metadata, store);
    if (around.endsProcess) store.queue.leave();
    else store.queue.close();
    return code;
  } catch (error) {
    return explain("enqueue", error, around);
  }
}

/** `undefined` if there is nothing to queue, or the line is wrong. */
function readLine(args: string[], around: Surroundings) {
  const { options: names } = COMMANDS.enqueue!;
  try {
    const line = parseCommandLine(args, names, around.env);
    if (line.help || line.positionals.length === 0) return undefined;
    const context = contextOf(line, { args, names, around });
    return { context, metadata: readMetadata(context.given) };
  } catch {
    return undefined;
  }
}
