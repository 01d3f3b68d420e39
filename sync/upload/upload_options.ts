import type { TlsOptions } from "./http_client.ts";

/** Options for `CaptureUploader`. */
export interface CaptureUploaderOptions {
  /**
   * How many attempts one upload makes, the first one included. At least 1.
   *
   * @default {3}
   */
  maxRetries?: number;
  /**
   * The longest time without progress, in milliseconds: to connect, while the
   * body is sent, and from its end to the end of the answer. A capture of up to
   * 1 MiB leaves as one piece and shows no progress, so this limits its whole
   * request; after one was cut off, such captures are streamed too, so that a
   * slow line has the time it needs while bytes move.
   *
   * @default {30000}
   */
  timeout?: number;
  /** The bearer token, or a function that is asked for it before each attempt. */
  token?: string | (() => string | undefined);
  /** Certificates of one's own. @default {none: the system's authorities} */
  tls?: TlsOptions;
  /**
   * Whether plain `http://` may be used beyond this machine.
   *
   * @default {false}
   */
  allowInsecure?: boolean;
  /**
   * The wait after the first failed attempt, in milliseconds; doubled by each
   * further one, at most a minute, with up to half of it taken off at random.
   *
   * @default {1000}
   */
  backoffMs?: number;
}

/** Options for one upload. */
export interface UploadOptions {
  /**
   * What the server tells repetitions of this capture by: the same for every
   * attempt of the same capture.
   *
   * @default {crypto.randomUUID()}
   */
  idempotencyKey?: string;
  /**
   * The name the server is told: its base name.
   *
   * @default {the path's base name}
   */
  filename?: string;
  /**
   * What the file must still be: its size in bytes and its modification time in
   * milliseconds since 1970. Another one is not sent.
   *
   * @default {whatever it is now}
   */
  expected?: { size: number; mtimeMs: number };
  /**
   * The file as it was read already, to be sent as it was then: its bytes, which
   * must not change, and its modification time in milliseconds since 1970.
   *
   * @default {it is read}
   */
  content?: { bytes: Uint8Array; mtimeMs: number };
  /** Ends the upload at once, its socket and file included. */
  signal?: AbortSignal;
}
