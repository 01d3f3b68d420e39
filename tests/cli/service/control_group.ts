import { join } from "@std/path";

/** Where control groups are: all in one hierarchy, or in several for systemd's sake. */
const HIERARCHIES = ["", "unified", "systemd"]
  .map((name) => join("/sys/fs/cgroup", name));

/** Enters the groups before the first `--`, then runs what comes behind it. */
const ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; ' +
  'done; shift; exec "$@"';

/**
 * A control group of a test's own, where one may be made. Managers that share one
 * take each other's processes for those of their units.
 */
export class ControlGroup implements Disposable {
  readonly #dirs: string[];

  constructor() {
    const name = `jarvis-test-${crypto.randomUUID()}`;
    this.#dirs = HIERARCHIES.map((dir) => join(dir, name)).filter(make);
  }

  /** The command that runs another one in the group. */
  command(program: string, args: string[]): string[] {
    return ["sh", "-c", ENTER, "sh", ...this.#dirs, "--", program, ...args];
  }

  /** Removes the group, whose processes must have ended. */
  [Symbol.dispose](): void {
    this.#dirs.forEach(remove);
  }
}

function make(dir: string): boolean {
  try {
    // Elsewhere a folder would be made, but no group.
    Deno.statSync(join(dir, "..", "cgroup.procs"));
    Deno.mkdirSync(dir);
    return true;
  } catch {
    return false;
  }
}

function remove(dir: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(dir)) {
    if (isDirectory) remove(join(dir, name));
  }
  Deno.removeSync(dir);
}
