/** The two ways in which the reference server ends a request other than with success. */

/** Ends a request with an answer that says why. */
export class Refusal extends Error {
  /** The HTTP status of the answer. */
  readonly status: number;
  /** Headers of the answer. */
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Ends a request without any answer. */
export class ConnectionCut extends Error {}
