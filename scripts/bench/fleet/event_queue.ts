/** Something that happens at a time. */
export interface Event {
  atMs: number;
  act: () => void;
}

/** Events in the order of their time: a binary heap. */
export class EventQueue {
  readonly #heap: Event[] = [];

  add(atMs: number, act: () => void): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push({ atMs, act });
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.atMs <= heap[at]!.atMs) break;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  /** Takes the earliest one out. */
  next(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    heap[0] = last;
    for (let at = 0;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < heap.length && heap[left]!.atMs < heap[least]!.atMs) {
        least = left;
      }
      if (right < heap.length && heap[right]!.atMs < heap[least]!.atMs) {
        least = right;
      }
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}
