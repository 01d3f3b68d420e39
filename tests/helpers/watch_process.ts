import { V8_FLAGS } from "../../scripts/build/permissions.ts";
import { memoryOf } from "../../scripts/process_memory.ts";
import { bindingFlags } from "../../scripts/task/bindings.ts";
import type { FolderWatcherOptions } from "../../sync/watch/watcher_options.ts";
import { RunningCli } from "./cli.ts";
import { eventually } from "./eventually.ts";
import { succeeds } from "./has_program.ts";

const CHILD = import.meta.resolve("./watch_child.ts");

/** Whether this user may make namespaces, in which he may mount, and have limits of his own. */
export const HAS_NAMESPACES = Deno.build.os === "linux" &&
  await succeeds("unshare", ["-Urm", "true"]);

/** Options for {@linkcode startWatchProcess}. */
export interface WatchProcessOptions
  extends Pick<FolderWatcherOptions, "settleMs" | "rescanMs" | "pollMs"> {
  /** A program, with its arguments, that starts it. */
  through?: string[];
  /** Whether all files count as taken over before. */
  allKnown?: boolean;
}

/** A watcher in a process of its own. */
export class WatchProcess extends RunningCli {
  /** What was taken over, in that order. */
  get names(): string[] {
    return [...this.stdout.matchAll(/^\+(.*)$/gm)].map(([, name]) => name!);
  }

  /** The most memory that it had, in megabytes. */
  get peakMb(): number {
    return memoryOf(this.pid, "VmHWM") / 1024 ** 2;
  }

  async took(...names: string[]): Promise<void> {
    await eventually(
      `${names.join(", ")} taken over`,
      () => names.every((name) => this.names.includes(name)),
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.stdout}\n${this.stderr}`);
    });
  }
}

/** Starts one, and waits until it has looked through the folder once. */
export async function startWatchProcess(
  folder: string,
  { through = [], ...options }: WatchProcessOptions = {},
): Promise<WatchProcess> {
  const [program, ...args] = [...through, Deno.execPath()];
  const child = new Deno.Command(program!, {
    args: [
      ...args,
      ...["run", "-A", "--no-check", "--quiet", V8_FLAGS, ...bindingFlags()],
      ...[CHILD, folder, JSON.stringify(options)],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const process = new WatchProcess(child.spawn());
  const isReady = () => process.stdout.includes("ready\n");
  await eventually("it is ready", isReady).catch((error) => {
    throw new Error(`${error.message}\n${process.stderr}`);
  });
  return process;
}
