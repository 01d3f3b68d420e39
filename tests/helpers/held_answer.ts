import { created, type SeenUpload } from "./capture_server.ts";

/** An answer that a server holds back until it is released, at the latest at the end of the scope. */
export class HeldAnswer implements Disposable {
  readonly #released = Promise.withResolvers<void>();

  /** Settled when it is released. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** Answers with a failure, when it is released: nobody waits for it any more. */
  readonly answer = async (): Promise<Response> => {
    await this.released;
    return new Response(null, { status: 503 });
  };

  /** Takes the capture, when it is released. */
  readonly delivery = async (upload: SeenUpload): Promise<Response> => {
    await this.released;
    return created(upload);
  };

  release(): void {
    this.#released.resolve();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
