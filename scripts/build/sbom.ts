/** The parts of an executable, as CycloneDX: each package with its version, hash and licence. */

import { Buffer } from "node:buffer";
import { licenceOf, type LockedPackage, packagesOf } from "../check/audit.ts";
import type { LockFile } from "../check/audit.ts";
import { projectPath } from "../task/bindings.ts";

/** The output of `deno info --json`, as far as it is used. */
export interface ModuleGraph {
  modules: {
    specifier: string;
    dependencies?: { code?: { specifier?: string }; isDynamic?: boolean }[];
  }[];
  npmPackages?: Record<
    string,
    { name: string; version: string; dependencies: string[]; localPath: string }
  >;
}

/** Returns all that a program of the project imports. */
export async function moduleGraph(
  path: string,
  flags: string[],
): Promise<ModuleGraph> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...flags, projectPath(path)],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A component of a CycloneDX document. */
interface Component {
  type: "library";
  name: string;
  version: string;
  purl: string;
  hashes: { alg: string; content: string }[];
  licenses: { license: { id: string } }[];
}

/** The folders of the npm packages of a graph, by `NAME@VERSION`. */
export function npmFoldersOf(graph: ModuleGraph): Map<string, string> {
  return new Map(
    Object.values(graph.npmPackages ?? {})
      .map((one) => [`${one.name}@${one.version}`, one.localPath]),
  );
}

/**
 * Returns the CycloneDX document of a program.
 *
 * @param program Its name and version.
 * @param graph All that it imports.
 * @param lock The lock file, which has the hashes.
 */
export function sbomOf(
  program: { name: string; version: string },
  graph: ModuleGraph,
  lock: LockFile,
): Record<string, unknown> {
  const used = usedPackages(graph);
  const folders = npmFoldersOf(graph);
  const components = packagesOf(lock)
    .filter(({ registry, name, version }) =>
      used.has(`${registry}:${name}@${version}`)
    )
    .map((one) => componentOf(one, licenceOf(one, folders)));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "application", ...program } },
    components,
  };
}

/** The packages that are imported, directly or by a package, as `REGISTRY:NAME@VERSION`. */
function usedPackages({ modules, npmPackages = {} }: ModuleGraph): Set<string> {
  const used = new Set<string>();
  const add = (key: string): void => {
    const found = npmPackages[key];
    if (!found || found.name.startsWith("@types/")) return;
    const name = `npm:${found.name}@${found.version}`;
    if (used.has(name)) return;
    used.add(name);
    found.dependencies.forEach(add);
  };
  for (const { specifier } of modules) {
    if (specifier.startsWith("npm:")) add(specifier.replace(/^npm:\/?/, ""));
    const [, name, version] =
      /^https?:\/\/[^/]+\/(@[^/]+\/[^/]+)\/([^/]+)\//.exec(specifier) ?? [];
    if (name) used.add(`jsr:${name}@${version}`);
  }
  return used;
}

function componentOf(
  { registry, name, version, integrity = "" }: LockedPackage,
  licence: string | undefined,
): Component {
  const [, algorithm = "sha256", base64] = /^(sha\d+)-(.+)$/.exec(integrity) ??
    [];
  const content = base64 === undefined
    ? integrity
    : Buffer.from(base64, "base64").toString("hex");
  return {
    type: "library",
    name,
    version,
    purl: `pkg:${registry}/${name.replace("@", "%40")}@${version}`,
    hashes: [{ alg: algorithm.replace("sha", "SHA-"), content }],
    licenses: licence ? [{ license: { id: licence } }] : [],
  };
}
