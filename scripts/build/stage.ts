/** Lays out the sources of an executable in a folder of their own. */

import { dirname, join } from "@std/path";
import { type Binding, projectPath } from "../task/bindings.ts";

/** What of the project an executable is made of. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "sync", "scripts/npm"];

/** Where `sync/queue/native_sqlite.ts` looks for the embedded library, seen from the top. */
const LIBRARY_FOLDER = "lib";

/** Where the bundle is. As deep as `sync`, so that the library is found from there too. */
const BUNDLE_FOLDER = "bundle";

/** What an executable is compiled from. */
export interface Program {
  /** The path of its main module. */
  main: string;
  /** The flags that make `deno` take its packages from where they are. */
  flags: string[];
}

/** What is to be there as soon as can be: one file with its own copy of all it needs. */
const QUICK = "sync/cli/commands/quick_enqueue.ts";

/** The sources of an executable; they are gone at the end of the scope. */
export class Stage implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "jarvis-compile-" });

  /**
   * Copies the sources. What else lies in the project (a `node_modules`, which
   * would go into the executable unused) stays out.
   */
  constructor() {
    for (const source of SOURCES) copy(projectPath(source), this.join(source));
  }

  /** A path inside it. */
  join(path: string): string {
    return join(this.path, path);
  }

  /** Puts a library where the program will find it; returns its path. */
  addLibrary(name: string, bytes: Uint8Array): string {
    const path = this.join(`${LIBRARY_FOLDER}/${name}`);
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /**
   * Returns what to compile: a bundle, or where none can be made the modules as
   * they are, which standard error then says.
   *
   * @param options `deno` compiles, `bundler` is the one that bundles.
   */
  program(
    binding: Binding,
    { deno, bundler = Deno.execPath() }: { deno: string; bundler?: string },
  ): Program {
    try {
      return this.#bundle(binding, bundler);
    } catch (error) {
      const [reason] = (error as Error).message.split("\n");
      console.error(`${reason}; its modules are compiled as they are`);
    }
    if (binding === "npm") this.#slimLock(deno);
    return { main: this.join("main.ts"), flags: this.flagsOf(binding) };
  }

  /**
   * Puts the program and its packages together into few files without comments,
   * one for each command and some that they share: an executable has them 4 ms
   * sooner than a hundred modules.
   *
   * @throws {Error} if it cannot: a part of that is fetched from npm.
   */
  #bundle(binding: Binding, bundler: string): Program {
    const common = ["bundle", "--quiet", ...this.flagsOf(binding)];
    const bundle = (entry: string, ...flags: string[]) => {
      const { stderr, success } = new Deno.Command(bundler, {
        args: [...common, ...flags, this.join(entry)],
        // Comments name each part's file, seen from there.
        cwd: this.path,
        env: { NO_COLOR: "1" },
      }).outputSync();
      if (success) return;
      const said = new TextDecoder().decode(stderr).trim();
      throw new Error(`Cannot bundle the program: ${said}`);
    };
    // In its own place, so that to the rest it is one module that shares nothing:
    // what is shared becomes many small files, and each takes its time to be loaded.
    bundle(QUICK, "--output", this.join(QUICK));
    const folder = this.join(BUNDLE_FOLDER);
    bundle("main.ts", "--code-splitting", "--outdir", folder);
    // Nothing in it is imported from elsewhere.
    return { main: join(folder, "main.js"), flags: ["--no-lock"] };
  }

  /** The flags that make `deno` use the binding with what is in here. */
  flagsOf(binding: Binding): string[] {
    if (binding === "npm") {
      const map = this.join("scripts/npm/import_map.json");
      const lock = this.join("scripts/npm/deno.lock");
      return [`--import-map=${map}`, `--lock=${lock}`, "--frozen"];
    }
    // Another registry's packages are the same files under other hashes.
    if (Deno.env.get("JSR_URL")) return ["--no-lock"];
    return [`--lock=${this.join("deno.lock")}`, "--frozen"];
  }

  /**
   * Takes the npm packages out of the lock file that the program does not use:
   * every package in it would go into the executable.
   */
  #slimLock(deno: string): void {
    const path = this.join("scripts/npm/deno.lock");
    const lock: Lock = JSON.parse(Deno.readTextFileSync(path));
    const used = new Set<string>();
    const use = (key: string) => {
      if (used.has(key)) return;
      used.add(key);
      for (const name of lock.npm[key]?.dependencies ?? []) {
        use(keyOf(name, lock));
      }
    };
    for (const key of this.#npmModules(deno)) use(key);
    Deno.writeTextFileSync(
      path,
      JSON.stringify({
        ...lock,
        specifiers: filter(
          lock.specifiers,
          (specifier, version) =>
            used.has(`${specifier.replace(/^npm:|@[^@]*$/g, "")}@${version}`),
        ),
        npm: filter(lock.npm, (key) => used.has(key)),
      }),
    );
  }

  /** The npm packages that the program imports itself, but for those that only hold types. */
  #npmModules(deno: string): string[] {
    const { stdout, stderr, success } = new Deno.Command(deno, {
      args: ["info", "--json", ...this.flagsOf("npm"), this.join("main.ts")],
      env: { NO_COLOR: "1" },
    }).outputSync();
    const text = new TextDecoder();
    if (!success) throw new Error(text.decode(stderr).trim());
    const { modules } = JSON.parse(text.decode(stdout));
    return modules
      .map(({ specifier }: { specifier: string }) => specifier)
      .filter((specifier: string) => specifier.startsWith("npm:/"))
      .map((specifier: string) => specifier.slice("npm:/".length))
      .filter((key: string) => !key.startsWith("@types/"));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** What is of interest in a lock file. */
interface Lock {
  specifiers: Record<string, string>;
  /** By name and version. */
  npm: Record<string, { dependencies?: string[] }>;
}

/** A dependency stands there without its version where there is only one. */
function keyOf(name: string, lock: Lock): string {
  const isKey = (key: string) => key === name || key.startsWith(`${name}@`);
  return Object.keys(lock.npm).find(isKey) ?? name;
}

function filter<T>(
  record: Record<string, T>,
  keep: (key: string, value: T) => boolean,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).filter(([key, value]) => keep(key, value)),
  );
}

function copy(from: string, to: string): void {
  if (!Deno.statSync(from).isDirectory) {
    Deno.mkdirSync(dirname(to), { recursive: true });
    return Deno.copyFileSync(from, to);
  }
  for (const { name } of Deno.readDirSync(from)) {
    copy(join(from, name), join(to, name));
  }
}
