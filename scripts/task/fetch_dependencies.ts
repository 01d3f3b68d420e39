/** Picks where the dependencies come from, and sees to it that they are there. */
import { type Binding, flagsOf, projectPath } from "./bindings.ts";
import { download } from "./download.ts";

/** A binding, and why it was taken. */
export interface Choice {
  binding: Binding;
  reason: string;
}

const DEFAULT_REGISTRY = "https://jsr.io/";
const PROBE_LIMIT_MS = 2_000;
const MEMORY_KEY = "binding";
/** The files that decide which packages are needed. */
const LISTS = [
  "deno.json",
  "deno.lock",
  "scripts/npm/import_map.json",
  "scripts/npm/deno.lock",
];

/**
 * Downloads the dependencies that are not there yet and returns the binding they
 * belong to: JSR where it answers within two seconds, npm where it does not.
 * `JARVIS_DEPS` forces one.
 *
 * The choice holds for as long as Deno's cache and the lists of packages do; then
 * no registry is asked for anything.
 *
 * @throws {RangeError} when `JARVIS_DEPS` names neither.
 * @throws {DownloadError} when they cannot be downloaded.
 */
export async function fetchDependencies(): Promise<Choice> {
  const forced = forcedChoice();
  const lists = await fingerprint();
  const choice = forced ?? recall(lists) ?? await probe(registry());
  const { binding, reason } = choice;
  console.error(`Dependencies from ${binding} (${reason})`);
  const other = binding === "npm" ? "jsr" : "npm";
  await download("the dependencies", [
    "cache",
    ...flagsOf(binding),
    // It imports everything that the project imports.
    "tests/scripts/dependencies_test.ts",
  ], {
    cwd: projectPath("."),
    advice: `JARVIS_DEPS=${other} for the other registry`,
  });
  if (!forced) remember(lists, choice);
  return choice;
}

function forcedChoice(): Choice | undefined {
  const binding = Deno.env.get("JARVIS_DEPS");
  if (!binding) return undefined;
  if (binding === "jsr" || binding === "npm") {
    return { binding, reason: "JARVIS_DEPS" };
  }
  throw new RangeError(
    `Cannot use JARVIS_DEPS "${binding}": expected "jsr" or "npm"`,
  );
}

function registry(): string {
  return Deno.env.get("JSR_URL") || DEFAULT_REGISTRY;
}

/** Asks a registry for a package that every registry of JSR's kind has. */
export async function probe(registry: string): Promise<Choice> {
  try {
    const response = await fetch(new URL("@std/path/meta.json", registry), {
      signal: AbortSignal.timeout(PROBE_LIMIT_MS),
    });
    // A network's login page answers too, but not with a package's description.
    const { name } = await response.json();
    if (response.ok && name === "path") {
      return { binding: "jsr", reason: "JSR answers" };
    }
  } catch {
    // Refused, unknown, too slow or something else: it is of no use here.
  }
  return { binding: "npm", reason: "JSR does not answer" };
}

async function fingerprint(): Promise<string> {
  const texts = LISTS.map((path) => Deno.readTextFileSync(projectPath(path)));
  const bytes = new TextEncoder().encode([registry(), ...texts].join("\0"));
  return String(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Kept beside Deno's cache of modules: an empty cache remembers nothing. */
function remember(lists: string, choice: Choice): void {
  try {
    localStorage.setItem(MEMORY_KEY, JSON.stringify({ ...choice, lists }));
  } catch {
    // A cache that cannot be written costs the next start a probe, no more.
  }
}

function recall(lists: string): Choice | undefined {
  try {
    const memory = JSON.parse(localStorage.getItem(MEMORY_KEY) ?? "{}");
    const { binding, reason } = memory;
    if (memory.lists === lists) return { binding, reason };
  } catch {
    // As if nothing had been remembered.
  }
  return undefined;
}
