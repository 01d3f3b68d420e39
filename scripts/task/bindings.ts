/**
 * Where the bare imports lead: to JSR, or to Node's built-ins and npm packages.
 *
 * Imports nothing, because it runs before it is known which of the two can be reached.
 */

/** One of the two sets of dependencies. */
export type Binding = "jsr" | "npm";

/** A binding, and why it was taken. */
export interface Choice {
  binding: Binding;
  reason: string;
}

const ROOT = new URL("../../", import.meta.url);
const DEFAULT_REGISTRY = "https://jsr.io/";
const PROBE_LIMIT_MS = 2_000;
const REMEMBER_MS = 10 * 60_000;
const MEMORY_KEY = "binding";

/** Turns a path inside the project into an absolute one. */
export function projectPath(path: string): string {
  const url = new URL(path, ROOT);
  const decoded = decodeURIComponent(url.pathname);
  return Deno.build.os === "windows"
    ? decoded.slice(1).replaceAll("/", "\\")
    : decoded;
}

/** Returns the flags that make any `deno` command use the binding, from any folder. */
export function flagsOf(binding: Binding): string[] {
  if (binding === "npm") {
    const importMap = projectPath("scripts/npm/import_map.json");
    return [
      `--import-map=${importMap}`,
      `--lock=${projectPath("scripts/npm/deno.lock")}`,
      "--frozen",
    ];
  }
  // Another registry's packages are the same files under other hashes.
  if (Deno.env.get("JSR_URL")) return ["--no-lock"];
  return [`--lock=${projectPath("deno.lock")}`, "--frozen"];
}

/** Tells which binding this very process runs on. */
export function runningBinding(): Binding {
  // The adapters are files of the project; JSR's modules never are.
  return import.meta.resolve("@std/path").startsWith("file:") ? "npm" : "jsr";
}

/** Returns the flags of the binding that this very process runs on, for its children. */
export function bindingFlags(): string[] {
  return flagsOf(runningBinding());
}

/**
 * Picks JSR where it answers within two seconds, npm where it does not.
 *
 * `JARVIS_DEPS` forces one. With `mayRemember` an answer of the last ten minutes will do.
 *
 * @throws {RangeError} when `JARVIS_DEPS` names neither
 */
export async function chooseBinding(
  { mayRemember = false } = {},
): Promise<Choice> {
  const forced = Deno.env.get("JARVIS_DEPS");
  if (forced === "jsr" || forced === "npm") {
    return { binding: forced, reason: "JARVIS_DEPS" };
  }
  if (forced) {
    throw new RangeError(
      `Cannot use JARVIS_DEPS "${forced}": expected "jsr" or "npm"`,
    );
  }

  const registry = Deno.env.get("JSR_URL");
  if (registry) return await probe(registry);
  const remembered = mayRemember ? recall() : undefined;
  if (remembered) return remembered;
  const choice = await probe(DEFAULT_REGISTRY);
  remember(choice);
  return choice;
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

/** Kept beside Deno's cache of modules: an empty cache remembers nothing. */
function remember(choice: Choice): void {
  try {
    localStorage.setItem(
      MEMORY_KEY,
      JSON.stringify({ ...choice, at: Date.now() }),
    );
  } catch {
    // A cache that cannot be written costs the next start a probe, no more.
  }
}

function recall(): Choice | undefined {
  try {
    const { binding, reason, at } = JSON.parse(
      localStorage.getItem(MEMORY_KEY) ?? "{}",
    );
    const ageMs = Date.now() - at;
    if (ageMs >= 0 && ageMs < REMEMBER_MS) return { binding, reason };
  } catch {
    // As if nothing had been remembered.
  }
  return undefined;
}
