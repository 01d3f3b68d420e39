/** The rules for dependencies: one version, a hash in the lock file, a free licence. */

/** A lock file of Deno, as far as it is looked at. */
export interface LockFile {
  /** The version that each specifier stands for. */
  specifiers?: Record<string, string>;
  jsr?: Record<string, { integrity?: string }>;
  npm?: Record<string, { integrity?: string }>;
}

export interface LockedPackage {
  registry: "jsr" | "npm";
  name: string;
  version: string;
  /** As the lock file has it: SHA-256 in hexadecimal (JSR), or a digest with its name (npm). */
  integrity: string | undefined;
}

const ALLOWED_LICENCES = [
  "0BSD",
  "Apache-2.0",
  "(Apache-2.0 AND BSD-3-Clause)",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MPL-2.0",
];

/** JSR's packages name no licence; these stand in the repositories of their scopes. */
const JSR_LICENCES: Readonly<Record<string, string>> = {
  "@db": "Apache-2.0",
  "@denosaurs": "MIT",
  "@std": "MIT",
};

/** The targets of bare names in an import map, for any folder that imports them. */
export function importsOf(
  { imports, scopes = {} }: {
    imports: Record<string, string>;
    scopes?: Record<string, Record<string, string>>;
  },
): Record<string, string> {
  return Object.assign({}, imports, ...Object.values(scopes));
}

export function packagesOf(lock: LockFile): LockedPackage[] {
  return (["jsr", "npm"] as const).flatMap((registry) =>
    Object.entries(lock[registry] ?? {}).map(([key, { integrity }]) => {
      // After a version and "_" come the versions of its peers.
      const [, name = key, version = ""] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
      return { registry, name, version, integrity };
    })
  );
}

/** The licence of a package, if it can be told. */
export function licenceOf(
  { registry, name, version }: LockedPackage,
  npmFolders: ReadonlyMap<string, string>,
): string | undefined {
  if (registry === "jsr") return JSR_LICENCES[name.split("/")[0]!];
  const folder = npmFolders.get(`${name}@${version}`);
  if (folder === undefined) return undefined;
  return JSON.parse(Deno.readTextFileSync(`${folder}/package.json`)).license;
}

/**
 * Returns the faults of the dependencies, in words; empty if there are none.
 *
 * @param imports The bare names and their targets.
 * @param npmFolders The folders of npm's packages, by `NAME@VERSION`; the licences of
 * others are not looked at.
 */
export function auditDependencies(
  imports: Record<string, string>,
  lock: LockFile,
  npmFolders: ReadonlyMap<string, string>,
): string[] {
  const remote = Object.values(imports).filter((to) => /^(jsr|npm):/.test(to))
    // Without the path of a module within the package.
    .map((to) => to.replace(/^(\w+:(?:@[^/]+\/)?[^/@]+@[^/]+)\/.*/, "$1"));
  const unlocked = remote
    .filter((to) => lock.specifiers?.[to] === undefined)
    .map((to) => `"${to}" has no version in the lock file`);
  const found = packagesOf(lock).flatMap((one) => {
    const label = `${one.registry}:${one.name}@${one.version}`;
    const faults: string[] = [];
    if (!one.integrity) faults.push(`${label} has no hash in the lock file`);
    const isSeen = one.registry === "jsr" ||
      npmFolders.has(`${one.name}@${one.version}`);
    const licence = licenceOf(one, npmFolders);
    if (isSeen && !ALLOWED_LICENCES.includes(licence ?? "")) {
      faults.push(
        `${label} is under "${licence}": expected one of ${
          ALLOWED_LICENCES.join(", ")
        }`,
      );
    }
    return faults;
  });
  return [...unlocked, ...found];
}
