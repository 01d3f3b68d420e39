/**
 * Plays docs/story.md: runs its commands in a shell, and replaces the output in the
 * page by theirs.
 *
 *     deno run -A --import-map=scripts/npm/import_map.json \
 *       --lock=scripts/npm/deno.lock --frozen scripts/docs/story.ts
 */

import { projectPath } from "../task/bindings.ts";
import { Shell } from "./shell.ts";

/** Relative to the project. */
export const STORY_PAGE = "docs/story.md";

/** A line after the prompt, and those in which it goes on. */
const COMMAND = /^\$ (.*(?:\n> .*)*)\n/gm;
/** The words of `sync` when it leaves some for an earlier refusal of the token, which says it in JSON. */
const LEFT = /^\d+ delivered, \d+ failed, [1-9]\d* left(: HTTP 401: \{.*)?$/m;

/** Plays the page's commands; returns the page with their output. */
export async function playStory(page: string): Promise<string> {
  await using shell = new Shell();
  const parts = page.split(/^(```console\n|```\n)/m);
  for (let at = 0; at < parts.length; at++) {
    if (parts[at - 1] !== "```console\n") continue;
    let played = "";
    for (const [text, command] of parts[at]!.matchAll(COMMAND)) {
      const run = () => shell.run(command!.replaceAll("\n> ", "\n"));
      let printed = await run();
      // A person would try again: a token is read again once a second at most.
      for (let tries = 1; LEFT.test(printed) && tries < 20; tries++) {
        printed = await run();
      }
      played += text + printed;
    }
    parts[at] = played;
  }
  return parts.join("");
}

if (import.meta.main) {
  const path = projectPath(STORY_PAGE);
  Deno.writeTextFileSync(path, await playStory(Deno.readTextFileSync(path)));
}
