/**
 * The targets of the bare imports: JSR, or Node's built-ins and npm packages.
 *
 * Imports nothing, because it runs before it is known which of the two can be reached.
 */

/** One of the two sets of dependencies. */
export type Binding = "jsr" | "npm";

const ROOT = new URL("../../", import.meta.url);

/** Turns a path inside the project into an absolute one. */
export function projectPath(path: string): string {
  const url = new URL(path, ROOT);
  const decoded = decodeURIComponent(url.pathname);
  return Deno.build.os === "windows"
    ? decoded.slice(1).replaceAll("/", "\\")
    : decoded;
}

/**
 * Returns the flags that make any `deno` command use the binding, from any folder.
 *
 * @param at Makes an absolute path of one inside the project, or a copy of it.
 */
export function flagsOf(binding: Binding, at = projectPath): string[] {
  if (binding === "npm") {
    const importMap = at("scripts/npm/import_map.json");
    const lock = at("scripts/npm/deno.lock");
    return [`--import-map=${importMap}`, `--lock=${lock}`, "--frozen"];
  }
  // Another registry's packages are the same files under other hashes.
  if (Deno.env.get("JSR_URL")) return ["--no-lock"];
  return [`--lock=${at("deno.lock")}`, "--frozen"];
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
