/**
 * The other end of `BookkeepingThread`: does what it is asked, one after the other.
 *
 * @module
 */

import { Bookkeeping } from "./bookkeeping.ts";
import type {
  BookkeepingAnswer,
  BookkeepingPlace,
  BookkeepingRequest,
} from "./bookkeeping_thread.ts";
import { UploadQueue } from "../queue/queue.ts";
import { ReadAhead } from "./read_ahead.ts";
import { Spool } from "../spool/spool.ts";

/** What a worker has that the types of a main program do not. */
const scope = self as unknown as {
  onmessage: (event: MessageEvent<BookkeepingRequest>) => void;
  postMessage(answer: BookkeepingAnswer, moved: Transferable[]): void;
};

let queue: UploadQueue;
let books: Bookkeeping;
let ahead: ReadAhead;

async function open(place: BookkeepingPlace): Promise<void> {
  const { queuePath, engine, spoolDir, reserveBytes = 0 } = place;
  if (engine === "ffi") await import("../queue/native_sqlite.ts");
  queue = new UploadQueue(queuePath, { engine, reserveBytes });
  const spool = new Spool(spoolDir);
  books = new Bookkeeping(queue, spool);
  ahead = new ReadAhead((limit) => books.claim(limit), spool);
}

function answerTo(request: BookkeepingRequest): unknown {
  switch (request.what) {
    case "open":
      return open(request.place);
    case "claim":
      return ahead.next(request.limit, request.emptied);
    case "settle":
      return books.settle(request.settlements, request.spent);
    case "close":
      return queue.close();
  }
}

/** What was asked before: a large entry takes some time to be removed. */
let last = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(async () => {
    const { nth } = data;
    try {
      const result = await answerTo(data);
      const memory = (result as { memory?: ArrayBuffer } | undefined)?.memory;
      scope.postMessage({ nth, result }, memory ? [memory] : []);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      scope.postMessage({ nth, error: reason }, []);
    }
  });
};
