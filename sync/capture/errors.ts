/** The capture's file will not do, however often it is tried: it is gone, no regular file, or another one. */
export class CaptureFileError extends Error {
  override name = "CaptureFileError";
}

/** The capture's file cannot be read now, but perhaps later. */
export class CaptureReadError extends Error {
  override name = "CaptureReadError";
}
