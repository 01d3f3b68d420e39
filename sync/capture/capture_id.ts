let lastMs = 0;
let counter = 0;
/** The beginning of the ids of that millisecond. */
let beginning = "";

/** How many ids there are within a millisecond. */
const COUNTERS = 0x1000;

/**
 * Returns an id that nobody else has, greater than every one that this process
 * has had before: a UUID of version 7, which begins with the time.
 *
 * Ids that grow stand side by side where they are stored: a hundred captures
 * change a few pages of the queue's indexes. Random ones would change a page each,
 * and every changed page is written once with the commit and once more later.
 * A clock that is set back does not matter: then ids go on from the latest.
 */
export function newCaptureId(): string {
  const nowMs = Date.now();
  if (nowMs > lastMs) begin(nowMs);
  else if (++counter === COUNTERS) begin(lastMs + 1);
  const count = counter.toString(16).padStart(3, "0");
  // Of a UUID of version 4 this part is random as well, but for the variant.
  const random = crypto.randomUUID().slice(19);
  return `${beginning}${count}-${random}`;
}

function begin(ms: number): void {
  lastMs = ms;
  counter = 0;
  const time = ms.toString(16).padStart(12, "0");
  beginning = `${time.slice(0, 8)}-${time.slice(8)}-7`;
}
