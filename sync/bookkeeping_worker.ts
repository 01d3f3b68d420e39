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
import { preferBuiltin } from "./engine_choice.ts";
import type { UploadQueue } from "./queue.ts";
import { Spool } from "./spool.ts";

/** What a worker has that the types of a main program do not. */
const scope = self as unknown as {
  onmessage: (event: MessageEvent<BookkeepingRequest>) => void;
  postMessage(answer: BookkeepingAnswer): void;
};

let queue: UploadQueue;
let books: Bookkeeping;

async function open(place: BookkeepingPlace): Promise<void> {
  const { queuePath, engine, spoolDir, reserveBytes = 0 } = place;
  if (engine === "builtin") preferBuiltin();
  // Not earlier: it loads a native SQLite unless told otherwise.
  const { UploadQueue } = await import("./queue.ts");
  queue = new UploadQueue(queuePath, { engine, reserveBytes });
  books = new Bookkeeping(queue, new Spool(spoolDir));
}

function answerTo(request: BookkeepingRequest): unknown {
  switch (request.what) {
    case "open":
      return open(request.place);
    case "claim":
      return books.claim(request.limit);
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
      scope.postMessage({ nth, result: await answerTo(data) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      scope.postMessage({ nth, error: reason });
    }
  });
};
