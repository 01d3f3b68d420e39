import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkMetadata } from "../../sync/capture/metadata.ts";
import { openFolder } from "../../sync/host/folder.ts";
import { readSidecar, SidecarError } from "../../sync/watch/sidecar.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { jsonLikeText, jsonObject } from "./json_text.ts";
import { fileName } from "./odd_text.ts";
import { target } from "./target.ts";

const encoder = new TextEncoder();

const content = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  jsonLikeText.map((text) => encoder.encode(text)),
  jsonObject.map(({ text }) => encoder.encode(`\ufeff${text}`)),
  // JSON in which some bytes are no UTF-8.
  fc.tuple(jsonObject, fc.uint8Array({ maxLength: 9 }), fc.nat()).map(
    ([{ text }, bytes, at]) => {
      const all = encoder.encode(text);
      const start = at % all.length;
      all.set(bytes.subarray(0, all.length - start), start);
      return all;
    },
  ),
);

/** Any file in a sidecar's place is metadata that can be sent, or a clear refusal. */
const sidecars = target("sidecars", { share: 60 }, (stack) => {
  const dir = stack.use(new TempDir());
  const folder = stack.use(openFolder(dir.path));
  return fc.property(
    fc.record({ name: fileName, content }),
    ({ name, content }) => {
      const path = dir.write("now", content);
      // Longer than a name may be.
      const sidecar = `${encoder.encode(name).length < 250 ? name : "a"}.json`;
      Deno.renameSync(path, dir.join(sidecar));
      try {
        const { metadataJson, identity } = readSidecar(folder, sidecar)!;
        assertEquals(identity.size, content.length);
        assertEquals(checkMetadata(metadataJson), metadataJson);
      } catch (error) {
        assert(error instanceof SidecarError, String(error));
        assert(/^Cannot (?:use|read) .{1,150}$/.test(error.message));
      } finally {
        Deno.removeSync(dir.join(sidecar));
      }
    },
  );
});

export const SIDECARS = [sidecars];
