/** The shell of a person who has the program, for pages that show its output. */

import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { bindingFlags, projectPath } from "../task/bindings.ts";

/** The folder and the port that are shown: the real ones are others each time. */
const HOME = "/home/ada";
const PORT = "8000";

/** The progress of a command, which differs each time. */
const PROGRESS = /^\d+%: .*\n/gm;
/** Ends the output of a command; its exit code follows. */
const END = "\x01";
/** The time between two looks at a log, in milliseconds. */
const LOOK_MS = 20;

/** A shell of a person with a folder of their own, on the project's sources. */
export class Shell implements AsyncDisposable {
  /** The person's folder; it is gone at the end of the scope. */
  readonly home = Deno.makeTempDirSync({ prefix: "jarvis-docs-" });
  readonly #port = freePort();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #printed = "";

  constructor() {
    const { home } = this;
    const bin = join(home, ".bin");
    Deno.mkdirSync(bin);
    const program = [Deno.execPath(), "run", "--quiet", "-A", ...bindingFlags()]
      .map((word) => `'${word}'`).join(" ");
    const write = (name: string, text: string) =>
      Deno.writeTextFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, {
        mode: 0o700,
      });
    write("jarvis-agent", `exec ${program} '${projectPath("main.ts")}' "$@"`);
    const server = projectPath("scripts/server/main.ts");
    write("deno", `shift 2; exec ${program} '${server}' "$@"`);
    this.#child = new Deno.Command("bash", {
      args: ["--norc"],
      cwd: home,
      clearEnv: true,
      env: {
        HOME: home,
        PATH: `${bin}:${Deno.env.get("PATH")}`,
        DENO_DIR: denoDir(),
        ...dependencies(),
      },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** Runs a command; returns its output. One that goes on in the background has begun then. */
  async run(command: string): Promise<string> {
    const script = command.replaceAll(PORT, this.#port);
    // Else a program would read the commands that come after it.
    const text = `{ ${script}\n} </dev/null 2>&1; printf '${END}'\n`;
    await this.#input.write(new TextEncoder().encode(text));
    while (!this.#printed.includes(END)) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`The shell ended at "${command}"`);
      this.#printed += value;
    }
    const [printed, rest] = this.#printed.split(END) as [string, string];
    this.#printed = rest;
    const log = / > (\S+) 2>&1 &/.exec(command)?.[1];
    if (log) await this.#begun(join(this.home, log));
    return this.shown(printed.replace(PROGRESS, ""));
  }

  /** A text with the folder and the port that are shown for the real ones. */
  shown(text: string): string {
    return text.replaceAll(this.home, HOME)
      .replaceAll(`:${this.#port}`, `:${PORT}`);
  }

  /** Waits until a server or an agent has written that it works. */
  async #begun(log: string): Promise<void> {
    let text = "";
    for (let tries = 0; tries < 1_000; tries++) {
      text = await Deno.readTextFile(log).catch(() => "");
      if (/Listening on|Delivering to/.test(text)) return;
      await delay(LOOK_MS);
    }
    throw new Error(`It did not begin: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const script = "kill $(jobs -p) 2>/dev/null; wait\n";
    await this.#input.write(new TextEncoder().encode(script));
    await this.#input.close();
    while (!(await this.#output.read()).done);
    await this.#child.status;
    Deno.removeSync(this.home, { recursive: true });
  }
}

function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** The folder where Deno keeps modules: it goes by HOME, which is another one there. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config"],
  }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** The source of the dependencies, if one was chosen. */
function dependencies(): Record<string, string> {
  const names = ["JSR_URL", "DENO_SQLITE_PATH"];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
