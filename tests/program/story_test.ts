/** The story, docs/story.md, played again. */

import { assertEquals } from "@std/assert";
import { playStory, STORY_PAGE } from "../../scripts/docs/story.ts";
import { projectPath } from "../../scripts/task/bindings.ts";

/** What is another each time, and what stands for it. */
const MASKS: [RegExp, string][] = [
  [/^(Next try|Probe|Rate) .*\n/gm, ""],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID"],
  [/(\d+[hms] )*\d+[hms] old/g, "SPAN old"],
  [/for (\d+[hms] )*\d+[hms],/g, "for SPAN,"],
  // The agent may be faster than the command.
  [/^\/\S+: .*\n/gm, ""],
  [/^\d+ delivered, \d+ failed, (\d+) left/gm, "$1 left"],
  // The agent may be sending it at that moment.
  [
    /it changed while it was sent \(.*\), expected it to be finished/g,
    "it was changed after it was handed over",
  ],
  [/process \d+/g, "process N"],
  [/[\d.]+ [kMGT]?B free/g, "SIZE free"],
  [/\(SQLite .*\)/g, "(SQLite)"],
  [
    /(Cannot reach the server): .*?(: Connection refused \(os error \d+\))+/g,
    "$1",
  ],
  [/^Version .*$/gm, "Version"],
  [/ {2,}/g, " "],
];

const masked = (page: string) =>
  MASKS.reduce((text, [from, to]) => text.replace(from, to), page).split("\n");

Deno.test({
  name: "the story is what the program says",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const page = Deno.readTextFileSync(projectPath(STORY_PAGE));
    const played = await playStory(page);
    assertEquals(masked(played), masked(page), "run scripts/docs/story.ts");
  },
});
