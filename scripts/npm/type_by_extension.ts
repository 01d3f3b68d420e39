/** The part of `@std/media-types/type-by-extension` that the project uses, over mime. */
import mime from "mime";

/** Returns the media type of a file extension, with or without its dot. */
export function typeByExtension(extension: string): string | undefined {
  return mime.getType(extension) ?? undefined;
}
