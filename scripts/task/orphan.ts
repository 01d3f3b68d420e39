/** Notices that the process that has started this one is gone, of which nobody tells it. */

/** The time between two looks, in milliseconds. */
const LOOK_MS = 500;

/**
 * Calls `listener` once a process above this one is gone that the task consists of:
 * `deno task`, and on Linux also the processes that `npx` puts above that.
 */
export function onOrphaned(listener: () => void): Disposable {
  const before = String(ancestors());
  const timer = setInterval(() => {
    if (String(ancestors()) === before) return;
    clearInterval(timer);
    listener();
  }, LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The parent, and all above it up to npm, where that runs this. */
function ancestors(): number[] {
  const parent = Deno.ppid;
  const npm = Deno.env.get("npm_node_execpath");
  if (Deno.build.os !== "linux" || !npm) return [parent];
  const found: number[] = [];
  try {
    for (let pid = parent; pid > 1; pid = parentOf(pid)) {
      found.push(pid);
      if (Deno.readLinkSync(`/proc/${pid}/exe`) === npm) return found;
    }
  } catch {
    // One of them has just ended, or is another user's.
  }
  return [parent];
}

function parentOf(pid: number): number {
  // Its name, in brackets, may hold anything.
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}
