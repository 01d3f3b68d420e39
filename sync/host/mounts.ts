import { readSmallText } from "./small_file.ts";
import { tryTo } from "./try_to.ts";

/** Tells of every mount of this process's view, also by `poll(2)`; only Linux has it. */
export const MOUNT_TABLE = "/proc/self/mountinfo";

/** A mounted file system. */
export interface Mount {
  /** The path where it is mounted, without links. */
  path: string;
  /** Differs from those of other mounts: its number, its device, and what of that it shows. */
  id: string;
  /** The kind of file system, like `vfat`. */
  kind: string;
}

/** The mounts, each after those that it covers; `undefined` where they cannot be told. */
export function listMounts(): Mount[] | undefined {
  const table = tryTo(() => readSmallText(MOUNT_TABLE));
  return table === undefined ? undefined : mountsIn(table);
}

/** The mounts in the text of `proc_pid_mountinfo(5)`. */
export function mountsIn(table: string): Mount[] {
  return table.split("\n").filter((line) => line !== "").map((line) => {
    const [number, , device, root, path = ""] = line.split(" ");
    const [, kind = ""] = line.slice(line.indexOf(" - ")).split(" - ");
    return {
      path: unescaped(path),
      id: `${number} ${device} ${root}`,
      kind: kind.slice(0, kind.indexOf(" ")),
    };
  });
}

/** A space in a path is `\040` there. */
function unescaped(path: string): string {
  return path.replace(
    /\\([0-7]{3})/g,
    (_, octal) => String.fromCharCode(parseInt(octal, 8)),
  );
}
