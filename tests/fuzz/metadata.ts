import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  checkMetadata,
  MAX_METADATA_BYTES,
  MAX_METADATA_DEPTH,
  withEntries,
  withHostMetadata,
} from "../../sync/capture/metadata.ts";
import { jsonLikeText, jsonObject, readJson, spell } from "./json_text.ts";
import { fileName } from "./odd_text.ts";
import { target } from "./target.ts";

const facts = fc.record({
  name: fileName,
  size: fc.maxSafeNat(),
  mtimeMs: fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger()),
  hostname: fc.constant("kiosk-7"),
  sha256: fc.constant("00ff".repeat(16)),
});

const HOST_KEYS = ["timestamp", "hostname", "filename", "size"];

/** What the caller wrote is carried to the digit, and the host's facts are added. */
const carried = target(
  "metadata are carried",
  {
    share: 200,
  },
  () =>
    fc.property(
      fc.record({
        given: jsonObject,
        facts,
        margin: fc.constantFrom("", "\ufeff", " \n"),
      }),
      ({ given, facts, margin }) => {
        const own = given.says.object;
        const checked = checkMetadata(margin + given.text);
        assertEquals(spell(readJson(checked)), spell(given.says));
        assert(checked.isWellFormed());
        const sent = readJson(
          withHostMetadata(checked, facts),
        ) as typeof given.says;
        const { object } = sent;
        assertEquals(object.get("sha256"), facts.sha256);
        assert(HOST_KEYS.slice(1).every((key) => object.has(key)));
        for (const key of ["sha256", ...HOST_KEYS]) {
          if (key === "sha256" || !own.has(key)) object.delete(key);
        }
        const rest = new Map(own);
        rest.delete("sha256");
        assertEquals(spell(sent), spell({ object: rest }));
        const entry = readJson(withEntries(checked, { door: "3" }));
        const more = new Map(own).set("door", "3");
        assertEquals(spell(entry), spell({ object: more }));
      },
    ),
);

/** What cannot be used is refused in a few words that do not repeat it. */
const refused = target(
  "odd metadata are refused",
  {
    share: 150,
    examples: [
      `{"a":"${"x".repeat(MAX_METADATA_BYTES)}"}`,
      `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
    ],
  },
  () =>
    fc.property(jsonLikeText, (text) => {
      let checked: string;
      try {
        checked = checkMetadata(text);
      } catch (error) {
        const isClear = error instanceof TypeError ||
          error instanceof RangeError;
        assert(isClear, String(error));
        assert(/^Cannot (?:use|read) .{1,150}$/.test(error.message));
        return;
      }
      assert(checked.length <= MAX_METADATA_BYTES);
      assertEquals(checkMetadata(checked), checked);
      assert(depthOf(JSON.parse(checked)) <= MAX_METADATA_DEPTH);
    }),
);

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

export const METADATA = [carried, refused];
