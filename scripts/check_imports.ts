/** The rules of `sync/` that no type checker knows: who imports whom, and who may do what. */

/** From top to bottom: a module imports only from its own layer and those below it. */
const LAYERS: readonly string[] = [
  "main mod",
  "cli/",
  "config given options token",
  "agent",
  `watcher folder_events folder_walk finished_files rescans settling turns intake
   recovery salvage queue_salvage settler claims outage_log after_upload delivery judge
   wakeup agent_lock`,
  "bookkeeping bookkeeping_thread bookkeeping_worker read_ahead",
  `queue queue_reader queue_file insertion settlement tally carry_over agent_state uploader breaker
   concurrency spool
   lock notify`,
  `captures capture_id database database_error native_sqlite reserve disk_space libc schema prepare_schema
   statements requests
   upload_options multipart capture_file take_copy outcome metadata server_url
   log journal data_dir durable_file record_log fault_point sidecar stall_guard version`,
];

/** Neighbours in a layer that must not know each other. */
const STRANGERS: readonly (readonly [string, string])[] = [
  ["queue", "uploader"],
  ["uploader", "queue"],
];

/** What only these modules may do. */
const RESERVED: readonly { what: string; pattern: RegExp; to: string }[] = [
  {
    what: "contains SQL",
    pattern:
      /\b(SELECT\b[^;]*\bFROM|INSERT\b[^;]*\bINTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(UNIQUE\s+)?(TABLE|INDEX)|ALTER\s+TABLE|PRAGMA|BEGIN\s+IMMEDIATE)\b/,
    to: "queue statements schema prepare_schema database carry_over",
  },
  {
    what: "calls fetch",
    pattern: /(?<![.\w])(globalThis\.)?fetch\(/,
    to: "uploader",
  },
  // main.ts hands both over to the command line, which reads them.
  {
    what: "reads the arguments",
    pattern: /\bDeno\.args\b/,
    to: "main cli/ config",
  },
  // @db/sqlite takes the path of its library from the environment.
  {
    what: "reads the environment",
    pattern: /\bDeno\.env\b/,
    to: "main cli/ config native_sqlite",
  },
  // Most of them take longer to load than a short command to run.
  {
    what: "imports one of Node's modules",
    pattern: /"node:/,
    to: "database disk_space journal turns",
  },
  { what: "exits the process", pattern: /\bDeno\.exit\(/, to: "main" },
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
    if (index >= 0 && !isAmong(own, to)) {
      blame(index, `${what}: only ${to} may`);
    }
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
  const layer = layerOf(other);
  if (layer >= 0 && layer < layerOf(own)) return "it lies in a higher layer";
  if (STRANGERS.some(([a, b]) => own === a && other === b)) {
    return "they do not know each other";
  }
  return undefined;
}

/** `sync/cli/run.ts` is "cli/run", `main.ts` is "main". */
function nameOf(file: string): string {
  return file.replace(/^sync\//, "").replace(/\.ts$/, "");
}

function layerOf(name: string): number {
  return LAYERS.findIndex((layer) => isAmong(name, layer));
}

/** Whether a module is one of those named; "cli/" names all below it. */
function isAmong(name: string, modules: string): boolean {
  return modules.split(/\s+/).some((module) =>
    module.endsWith("/") ? name.startsWith(module) : name === module
  );
}
