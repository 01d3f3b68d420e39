import { CaptureReadError } from "../capture/errors.ts";
import {
  checkMetadata,
  encodeMetadata,
  type HostFacts,
  type Metadata,
  withHostMetadata,
} from "../capture/metadata.ts";
import { messageOf } from "../host/message_of.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import type { KnownCapture, OpenCapture } from "./capture_file.ts";
import { type Outcome, outcomeOfError, type UploadResult } from "./outcome.ts";
import type { UploadOptions } from "./upload_options.ts";

/** The content of an attempt besides the bytes. */
export interface AttemptFields {
  /** As JSON text. */
  metadata: string;
  token: string | undefined;
}

/**
 * The attempts to deliver one capture: all send the same bytes and metadata, and
 * each is counted.
 */
export class Attempts {
  readonly #open: (known: KnownCapture) => Promise<OpenCapture>;
  readonly #given: UploadOptions & { name: string };
  readonly #ownMetadata: string;
  #known: KnownCapture;
  #metadata: string | undefined;
  #count = 0;
  #elapsedMs = 0;
  #sent: FileIdentity | null = null;
  #outcome: Outcome | undefined;

  /**
   * @throws {TypeError} if the metadata is not a JSON object.
   * @throws {RangeError} if the metadata is larger than 1 MiB.
   */
  constructor(
    open: (known: KnownCapture) => Promise<OpenCapture>,
    given: UploadOptions & { name: string; metadata: Metadata | string },
  ) {
    const { metadata, expected, sha256 } = given;
    this.#open = open;
    this.#given = given;
    this.#ownMetadata = typeof metadata === "string"
      ? checkMetadata(metadata)
      : encodeMetadata(metadata);
    this.#known = { expected, sha256 };
  }

  /**
   * Makes an attempt. An error becomes its outcome.
   *
   * @throws the signal's reason, if it aborts before the capture is delivered.
   */
  async make(
    readToken: () => string | undefined,
    post: (capture: OpenCapture, sent: AttemptFields) => Promise<Outcome>,
  ): Promise<{ outcome: Outcome; token: string | undefined }> {
    this.#count++;
    this.#sent = null;
    const startedMs = performance.now();
    let token: string | undefined;
    let outcome: Outcome;
    try {
      token = readToken();
      using capture = await this.#open(this.#known);
      const { sha256, identity } = capture;
      this.#sent = identity;
      const facts = this.#factsOf(capture);
      if (this.#known.sha256 === undefined) this.#tellContent(facts);
      // One key, one content: a later attempt sends the same or nothing.
      const expected = identity ?? undefined;
      this.#known = { ...this.#known, expected, sha256 };
      this.#metadata ??= withHostMetadata(this.#ownMetadata, facts);
      outcome = await post(capture, { metadata: this.#metadata, token });
    } catch (error) {
      outcome = outcomeOfError(error, { token });
    }
    if (outcome.kind !== "delivered") this.#given.signal?.throwIfAborted();
    this.#elapsedMs = performance.now() - startedMs;
    this.#outcome = outcome;
    return { outcome, token };
  }

  /** The result of the last attempt, with the number of attempts: at least one. */
  get result(): UploadResult {
    const { isTransient: _, kind, ...rest } = this.#outcome!;
    return {
      ...rest,
      success: kind === "delivered",
      outcome: kind,
      attempts: this.#count,
      elapsedMs: this.#elapsedMs,
      sha256: this.#known.sha256 ?? null,
      sent: this.#sent,
    };
  }

  #factsOf({ size, sha256, mtimeMs: openedMtimeMs }: OpenCapture): HostFacts {
    const { name, mtimeMs = openedMtimeMs, hostname = Deno.hostname() } =
      this.#given;
    return { name, size, mtimeMs, hostname, sha256 };
  }

  /** Without a record of the bytes that leave now, others might leave after a crash. */
  #tellContent(facts: HostFacts): void {
    try {
      this.#given.onContent?.(facts);
    } catch (cause) {
      throw new CaptureReadError(
        `Cannot record what is about to be sent: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}
