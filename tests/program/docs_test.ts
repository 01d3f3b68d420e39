import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import {
  SETTINGS_PAGE,
  settingsPage,
} from "../../scripts/docs/settings_page.ts";
import { projectPath } from "../../scripts/task/bindings.ts";
import { sourceFiles } from "../../scripts/task/source_files.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import {
  defaultOf,
  type OptionName,
  OPTIONS,
  type OptionSpec,
} from "../../sync/cli/settings/options.ts";
import { MUTANTS } from "../chaos/mutants.ts";

const COMING_FROM = "docs/coming_from.md";
/** What is written for whoever uses or changes the program. */
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...[...Deno.readDirSync(projectPath("docs"))]
    .map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md")),
];

const text = (path: string) => Deno.readTextFileSync(projectPath(path));
/** A page as one line, with what it says on each. */
const prose = (path: string) => text(path).replace(/\s+/g, " ");
const options: Readonly<Record<string, OptionSpec>> = OPTIONS;
Deno.test("the page of settings is the program's own table", () => {
  assertEquals(
    text(SETTINGS_PAGE),
    settingsPage(),
    "run scripts/docs/settings_page.ts",
  );
});

Deno.test("the README has every command, and no other", () => {
  const [, table] = text("README.md").split(/^\| command .*$/m);
  const rows = table!.split("\n\n", 1)[0]!.matchAll(/^\| (`.*?) {2}/gm);
  const named = [...rows].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([a-z]+)[ `]/g)].map(([, name]) => name!)
  );
  assertEquals(named.toSorted(), Object.keys(COMMANDS).toSorted());
  const shown = PAGES.flatMap((page) => [
    ...text(page).matchAll(/(?:^ {4}|`)jarvis-agent ([a-z]+)/gm),
  ]);
  for (const [line, name] of shown) assert(name! in COMMANDS, line);
});

Deno.test("the pages for users name no option that there is not", () => {
  // Of the project's own tasks and scripts, which have options of their own.
  const others = [
    "scripts/build/compile.ts",
    "scripts/bench/main.ts",
    "scripts/server/main.ts",
    "tests/chaos/main.ts",
    "tests/fuzz/main.ts",
  ].map(text).join("\n");
  // Of Deno, curl, systemctl, and every program.
  const foreign =
    /^(allow-(read|write|net|ffi|env)|parallel|user|help|version)$/;
  for (const page of PAGES.filter((page) => page !== "CONTRIBUTING.md")) {
    // There the first column is another program's.
    const own = page === COMING_FROM
      ? text(page).replace(/^\| [^|]*\|/gm, "")
      : text(page);
    for (const [, name] of own.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)) {
      const isKnown = name! in OPTIONS || foreign.test(name!) ||
        others.includes(`--${name} `);
      assert(isKnown, `${page}: --${name}`);
    }
  }
});

Deno.test("the pages name the options' own defaults", () => {
  for (const page of PAGES.filter((page) => page !== SETTINGS_PAGE)) {
    const parts = prose(page).split("(default: ");
    for (const [n, after] of parts.slice(1).entries()) {
      const value = after.slice(0, after.indexOf(")"));
      const name = [...parts[n]!.matchAll(/`--([a-z-]+)/g)].at(-1)?.[1];
      assert(options[name!], `${page}: an option for the default "${value}"`);
      const standard = defaultOf(name as OptionName) ?? "";
      assert(standard.startsWith(value), `--${name}: ${value}`);
    }
  }
});

Deno.test("the pages name every variable, and no other", () => {
  const known = [
    ...Object.values(options).flatMap(({ env }) => env ?? []),
    "JARVIS_TOKEN",
    // Of the tasks.
    "JARVIS_DEPS",
  ];
  const named = PAGES.flatMap((page) =>
    [...text(page).matchAll(/JARVIS_[A-Z_]*[A-Z]/g)].map(([name]) => name)
  );
  assertEquals([...new Set(named)].toSorted(), known.toSorted());
});

Deno.test("every test that the pages name is there, under its name", () => {
  const entry = /`(?:tests\/)?([a-z_/]+_test\.ts)`((?:[,:]? "[^"]+")*)/g;
  let count = 0;
  for (const page of PAGES) {
    for (const [, file, names] of prose(page).matchAll(entry)) {
      const tests = prose(`tests/${file}`);
      for (const [, name] of names!.matchAll(/"([^"]+)"/g)) {
        assert(tests.includes(name!), `${page}: "${name}" of ${file}`);
        count++;
      }
    }
  }
  assert(count > 0);
});

Deno.test("every source file that a page names is there", () => {
  const there = ["docs", "sync", "scripts", "tests"]
    .flatMap((folder) => [...sourceFiles(projectPath(folder))]);
  let count = 0;
  for (const page of PAGES) {
    for (const [, file] of text(page).matchAll(/`([a-z_/]+\.ts)`/g)) {
      if (file === "snake_case.ts") continue;
      assert(
        there.some((path) => path.endsWith(`/${file}`)),
        `${page}: ${file}`,
      );
      count++;
    }
  }
  assert(count > 0);
});

Deno.test("every row of what was tried names a test", () => {
  const rows = text("docs/tried.md").split("\n")
    .filter((line) => /^\| (?!-|what )/.test(line));
  assert(rows.length > 0);
  for (const row of rows) {
    assert(/_test\.ts` "|not done|not tested/.test(row), row);
  }
});

Deno.test("the page about chaos names everything that is taken out in turn", () => {
  for (const name of Object.keys(MUTANTS)) {
    assertStringIncludes(prose("docs/chaos.md"), name);
  }
});

Deno.test("the page for contributors says how many test files run at a time", () => {
  const [, perCore, most] =
    /min\((\d+) \* navigator\.hardwareConcurrency, (\d+)\)/
      .exec(text("scripts/task/run_tests.ts"))!;
  assertStringIncludes(
    prose("CONTRIBUTING.md"),
    `${perCore} times as many at a time as there are cores, at most ${most},`,
  );
});

/** What a link can lead to in a page: its headings, as GitHub names them. */
function anchorsOf(path: string): string[] {
  return [...Deno.readTextFileSync(path).matchAll(/^#+ (.*)$/gm)]
    .map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
    );
}

Deno.test("the pages lead to files and headings that are there", () => {
  for (const page of PAGES) {
    const links = text(page).matchAll(
      /\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g,
    );
    for (const [whole, link, anchor] of links) {
      const here = projectPath(page);
      const path = link ? join(dirname(here), link) : here;
      Deno.statSync(path);
      if (anchor) assert(anchorsOf(path).includes(anchor), `${page}: ${whole}`);
    }
  }
});

Deno.test("the pictures are small, and each is shown", () => {
  const pages = PAGES.map(text).join("\n");
  for (const { name } of Deno.readDirSync(projectPath("docs/images"))) {
    const path = `docs/images/${name}`;
    assert(Deno.statSync(projectPath(path)).size < 150_000, path);
    assert(pages.includes(`images/${name}`), path);
  }
});
