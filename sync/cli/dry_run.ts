import { extname, join } from "@std/path";
import type { Folder } from "../host/folder.ts";
import { CaptureFilter } from "../watch/capture_filter.ts";
import { captureOf, fileAt } from "../watch/sidecar.ts";
import { WatchedRoot } from "../watch/watched_root.ts";
import { UsageError } from "./arguments.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { type Look, lookInto } from "./store.ts";

/** What would become of a file now, and why it would not be taken. */
type Verdict =
  | { verb: "take" }
  | { verb: "later" | "pass"; reason: string };

/**
 * Lists what `run` would take of the watched folders, and why it would leave the
 * rest. Changes nothing.
 */
export function dryRun({ settings, out }: CommandContext): number {
  if (settings.watch.length === 0) {
    throw new UsageError(
      "Cannot tell what would be taken, no folder is watched: expected --watch DIR",
    );
  }
  using look = lookInto(settings);
  const survey = new Survey({
    look,
    filter: new CaptureFilter(settings.filter),
    settleMs: settings.settleMs ?? 2_000,
    out,
  });
  for (const path of settings.watch) {
    using folder = new WatchedRoot(path, (_, reason) => out(`later  ${reason}`))
      .open();
    if (folder) survey.all(folder, path);
  }
  const { take, later, pass } = survey.counts;
  out(`${take} would be taken now, ${later} later, ${pass} not`);
  return ExitCode.ok;
}

/** A watched folder, and the path in it of something. */
interface Place {
  root: string;
  name: string;
}

interface SurveyOptions {
  look: Look | undefined;
  filter: CaptureFilter;
  settleMs: number;
  out: (line: string) => void;
}

class Survey {
  readonly counts = { take: 0, later: 0, pass: 0 };
  readonly #options: SurveyOptions;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** Judges all that is in a watched folder, at any depth. */
  all(top: Folder, root: string): void {
    const waiting = [""];
    for (let name; (name = waiting.pop()) !== undefined;) {
      this.#trying({ root, name }, () => {
        using folder = top.openFolder(name || ".");
        waiting.push(...this.#folder(folder, { root, name }).toReversed());
      });
    }
  }

  /** Judges the files in an open folder, and returns the names of the folders. */
  #folder(folder: Folder, at: Place): string[] {
    const folders: string[] = [];
    for (const { name, kind, isUtf8 } of folder.list().flatMap((all) => all)) {
      const place = { ...at, name: at.name ? `${at.name}/${name}` : name };
      const reason = isUtf8
        ? this.#options.filter.objection(place.name, kind)
        : "its name is not valid UTF-8";
      if (reason !== undefined) this.#say(place, { verb: "pass", reason });
      else if (kind === "folder") folders.push(place.name);
      else {
        this.#trying(place, () => {
          this.#say(place, this.#judge(folder, place, name));
        });
      }
    }
    return folders;
  }

  #trying(place: Place, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#say(place, { verb: "later", reason: (error as Error).message });
    }
  }

  #say({ root, name }: Place, verdict: Verdict): void {
    this.counts[verdict.verb]++;
    const reason = verdict.verb === "take" ? "" : `: ${verdict.reason}`;
    this.#options.out(
      `${verdict.verb.padEnd(5)}  ${join(root, name)}${reason}`,
    );
  }

  #judge(folder: Folder, { root, name: inRoot }: Place, name: string): Verdict {
    const { filter, look, settleMs } = this.#options;
    using file = folder.openFile(name);
    const { identity } = file;
    const reason = filter.sizeObjection(identity.size);
    if (reason !== undefined) return { verb: "pass", reason };
    const capture = captureOf(name);
    const isSidecar = capture !== undefined && fileAt(folder, capture) &&
      filter.objection(captureOf(inRoot)!, "file") === undefined;
    if (isSidecar) {
      return { verb: "pass", reason: `the metadata of "${capture}"` };
    }
    const isAlone = capture !== undefined && !filter.takesJson(inRoot);
    if (isAlone && extname(capture) !== "") {
      return { verb: "later", reason: `waits for its capture "${capture}"` };
    }
    const path = join(root, inRoot);
    const [state] = look?.queue.knownWatched([{ path, identity }]) ?? [];
    if (state === "in doubt") {
      const reason = "like one that was taken before: its content decides";
      return { verb: "later", reason };
    }
    if (state !== undefined) return { verb: "pass", reason: `${state} before` };
    if (file.isOpenForWriting()) {
      return { verb: "later", reason: "somebody has it open for writing" };
    }
    if (Date.now() - identity.mtimeMs < settleMs) {
      return { verb: "later", reason: "it has changed just now" };
    }
    return { verb: "take" };
  }
}
