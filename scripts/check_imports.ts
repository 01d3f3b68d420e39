/** The rules of `sync/` that no type checker knows: who imports whom, and who may do what. */

/** From top to bottom: a module imports only from its own layer and those below it. */
const LAYERS: readonly (readonly string[])[] = [
  ["main", "mod"],
  ["cli/"],
  ["config"],
  ["agent"],
  ["watcher", "intake", "recovery"],
  ["queue", "uploader", "breaker", "spool", "lock", "notify"],
  [
    "database",
    "schema",
    "multipart",
    "outcome",
    "metadata",
    "server_url",
    "log",
    "data_dir",
    "fault_point",
    "sidecar",
    "stall_guard",
    "version",
  ],
];

/** Neighbours in a layer that must not know each other. */
const STRANGERS: readonly (readonly [string, string])[] = [
  ["queue", "uploader"],
  ["uploader", "queue"],
];

/** What only these modules may do. */
const RESERVED: readonly {
  what: string;
  pattern: RegExp;
  to: readonly string[];
}[] = [
  {
    what: "contains SQL",
    pattern:
      /\b(SELECT\s.*\bFROM|INSERT\s.*INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(UNIQUE\s+)?(TABLE|INDEX)|ALTER\s+TABLE|PRAGMA|BEGIN\s+IMMEDIATE)\b/,
    to: ["queue", "schema", "database"],
  },
  {
    what: "calls fetch",
    pattern: /(?<![.\w])(globalThis\.)?fetch\(/,
    to: ["uploader"],
  },
  {
    what: "reads the arguments",
    pattern: /\bDeno\.args\b/,
    to: ["cli/", "config"],
  },
  {
    what: "reads the environment",
    pattern: /\bDeno\.env\b/,
    // database.ts: @db/sqlite takes its library's path from DENO_SQLITE_PATH.
    to: ["cli/", "config", "database"],
  },
  { what: "exits the process", pattern: /\bDeno\.exit\(/, to: ["main"] },
];

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"(?<specifier>[^"]+)"/g;
const COMMENT_LINE = /^\s*(\/\/|\/\*|\*)/;

/** Tells every breach of the rules below `root`, in words; empty when there is none. */
export function checkImports(root: string): string[] {
  return sources(root).flatMap((file) => checkModule(root, file)).sort();
}

/** The product's modules, by their path below the root. */
function sources(root: string, folder = ""): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].flatMap((entry) => {
    const path = folder + entry.name;
    if (entry.isDirectory) {
      return /^sync\b/.test(path) ? sources(root, `${path}/`) : [];
    }
    return path === "main.ts" || /^sync\/.*\.ts$/.test(path) ? [path] : [];
  });
}

function checkModule(root: string, file: string): string[] {
  const code = Deno.readTextFileSync(`${root}/${file}`).split("\n")
    .map((line) => COMMENT_LINE.test(line) ? "" : line).join("\n");
  const own = nameOf(file);
  const breaches: string[] = [];
  const blame = (index: number, text: string) =>
    breaches.push(`${file}:${code.slice(0, index).split("\n").length} ${text}`);

  if (layerOf(own) < 0) {
    blame(0, `has no layer: expected "${own}" in scripts/check_imports.ts`);
  }
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match.groups!.specifier!;
    if (!specifier.startsWith(".")) continue;
    const path = new URL(specifier, `file:///${file}`).pathname.slice(1);
    const fault = faultOf(own, path);
    if (fault) blame(match.index, `imports "${path}": ${fault}`);
  }
  for (const { what, pattern, to } of RESERVED) {
    const index = code.search(pattern);
    if (index < 0 || to.some((module) => belongs(own, module))) continue;
    blame(index, `${what}: only ${to.join(", ")} may`);
  }
  return breaches;
}

function faultOf(own: string, path: string): string | undefined {
  // The version is written down in one place only.
  if (own === "version" && path === "deno.json") return undefined;
  if (!path.startsWith("sync/")) {
    return "the product imports nothing from outside sync/";
  }
  const other = nameOf(path);
  if (other === "mod") return "mod.ts is for other programs";
  if (layerOf(other) < layerOf(own)) return "it lies in a higher layer";
  if (STRANGERS.some(([a, b]) => belongs(own, a) && belongs(other, b))) {
    return "they do not know each other";
  }
  return undefined;
}

/** `sync/cli/run.ts` is "cli/run", `main.ts` is "main". */
function nameOf(file: string): string {
  return file.replace(/^sync\//, "").replace(/\.ts$/, "");
}

function belongs(name: string, module: string): boolean {
  return module.endsWith("/") ? name.startsWith(module) : name === module;
}

function layerOf(name: string): number {
  return LAYERS.findIndex((layer) =>
    layer.some((module) => belongs(name, module))
  );
}
