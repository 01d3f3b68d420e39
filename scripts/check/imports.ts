/** The rules of `sync/` that no type checker knows: the imports between rooms, and reserved calls. */
import { sourceFiles } from "../task/source_files.ts";

/** The rooms that each room may import from, besides itself. */
export const MAY_IMPORT: Readonly<Record<string, string>> = {
  main: "cli host",
  mod: "agent watch spool queue upload capture host",
  cli: "monitor agent watch spool queue upload capture host",
  monitor: "agent watch spool queue upload capture host",
  agent: "spool queue upload capture host",
  watch: "spool queue capture host",
  spool: "queue upload capture host",
  queue: "capture host",
  upload: "capture host",
  capture: "host",
  host: "",
};

/** Calls that only these files or rooms may make. */
const RESERVED: readonly { what: string; pattern: RegExp; to: RegExp }[] = [
  {
    what: "contains SQL",
    pattern:
      /\b(SELECT\b[^;]*\bFROM|INSERT\b[^;]*\bINTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(UNIQUE\s+)?(TABLE|INDEX)|ALTER\s+TABLE|PRAGMA|BEGIN\s+IMMEDIATE)\b/,
    to: /^sync\/queue\//,
  },
  {
    what: "calls fetch",
    pattern: /(?<![.\w])(globalThis\.)?fetch\(/,
    to: /^sync\/upload\//,
  },
  {
    what: "reads the arguments",
    pattern: /\bDeno\.args\b/,
    to: /^(main\.ts|sync\/cli\/)/,
  },
  // @db/sqlite takes the path of its library from the environment, fetch its proxies.
  {
    what: "reads the environment",
    pattern: /\bDeno\.env\b|\/environment\.ts"/,
    to:
      /^(main\.ts|sync\/cli\/|sync\/host\/environment\.ts|sync\/queue\/native_sqlite\.ts|sync\/upload\/(http_client|proxy)\.ts)/,
  },
  // Elsewhere the umask would decide who may use them.
  {
    what: "makes files or folders",
    pattern:
      /\bDeno\.(mkdir|makeTemp|create(Sync)?\(|writeFile|writeTextFile)|\bcreate(New)?: true\b/,
    to: /^sync\/host\/private_files\.ts$/,
  },
  { what: "exits the process", pattern: /\bDeno\.exit\(/, to: /^main\.ts$/ },
];

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*"(?<specifier>[^"]+)"/g;
const COMMENT_LINE = /^\s*(\/\/|\/\*|\*)/;

/** Tells every breach of the rules below `root`, in words; empty when there is none. */
export function checkImports(root: string): string[] {
  return ["main.ts", "sync"]
    .flatMap((name) => [...sourceFiles(`${root}/${name}`)])
    .flatMap((path) => checkFile(root, path.slice(root.length + 1))).sort();
}

function checkFile(root: string, file: string): string[] {
  const code = Deno.readTextFileSync(`${root}/${file}`).split("\n")
    .map((line) => COMMENT_LINE.test(line) ? "" : line).join("\n");
  const breaches: string[] = [];
  const report = (index: number, text: string) =>
    breaches.push(`${file}:${code.slice(0, index).split("\n").length} ${text}`);

  for (const match of code.matchAll(IMPORT)) {
    const specifier = match.groups!.specifier!;
    if (!specifier.startsWith(".")) continue;
    const path = new URL(specifier, `file:///${file}`).pathname.slice(1);
    const breach = breachOf(file, path);
    if (breach) report(match.index, `imports "${path}": ${breach}`);
  }
  for (const { what, pattern, to } of RESERVED) {
    const index = code.search(pattern);
    if (index >= 0 && !to.test(file)) report(index, `${what}: only ${to} may`);
  }
  return breaches;
}

function breachOf(file: string, path: string): string | undefined {
  // The version is written down in one place only.
  if (file === "sync/host/version.ts" && path === "deno.json") return undefined;
  const [own, other] = [roomOf(file), roomOf(path)];
  if (other === undefined || other === "main") {
    return "the product imports nothing from outside sync/";
  }
  if (other === "mod") return "mod.ts is for other programs";
  const allowed = (own && MAY_IMPORT[own]) ?? "";
  return own === other || allowed.split(" ").includes(other)
    ? undefined
    : `${own}/ may import from: ${allowed || "no other room"}`;
}

/** `sync/cli/commands/run.ts` is in "cli", `sync/mod.ts` in "mod", `main.ts` in "main". */
function roomOf(file: string): string | undefined {
  if (file === "main.ts" || file === "sync/mod.ts") {
    return file.replace(/^sync\/|\.ts$/g, "");
  }
  return /^sync\/(\w+)\//.exec(file)?.[1];
}
