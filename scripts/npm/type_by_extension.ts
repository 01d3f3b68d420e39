/** What the project uses of `@std/media-types/type-by-extension`, over mime-db. */
// @ts-types="@types/mime-db"
import db from "mime-db";

/** Where several types claim an extension, the later source in this list wins. */
const PREFERENCE = ["nginx", "apache", undefined, "iana"];
const REPLACEABLE = ["application/octet-stream", "application/mp4"];

const types = new Map<string, string>();
for (const [type, { source, extensions = [] }] of Object.entries(db)) {
  for (const extension of extensions) {
    const current = types.get(extension);
    if (current !== undefined && !REPLACEABLE.includes(current)) {
      const from = PREFERENCE.indexOf(db[current]?.source);
      const to = PREFERENCE.indexOf(source);
      if (from > to || (from === to && current.startsWith("application/"))) {
        continue;
      }
    }
    types.set(extension, type);
  }
}

/** Returns the media type of a file extension, with or without its dot. */
export function typeByExtension(extension: string): string | undefined {
  return types.get(extension.replace(/^\./, "").toLowerCase());
}
