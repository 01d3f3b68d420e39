/**
 * Plays docs/story.md: runs its commands in a shell, and puts what they print in
 * the place of what the page has.
 *
 *     deno run -A --import-map=scripts/npm/import_map.json \
 *       --lock=scripts/npm/deno.lock --frozen scripts/docs/story.ts
 */

import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { bindingFlags, projectPath } from "../task/bindings.ts";

/** Relative to the project. */
export const STORY_PAGE = "docs/story.md";

/** What the page has for the folder and the port, which are others each time. */
const HOME = "/home/ada";
const PORT = "8000";

/** A line after the prompt, and those in which it goes on. */
const COMMAND = /^\$ (.*(?:\n> .*)*)\n/gm;
/** How far a command is, which is another each time. */
const PROGRESS = /^\d+%: .*\n/gm;
/** Ends what a command prints; its exit code follows. */
const END = "\x01";
/** How often a log is looked at, in milliseconds. */
const LOOK_MS = 20;

/** Plays the page's commands; returns the page with what they printed. */
export async function playStory(page: string): Promise<string> {
  const home = Deno.makeTempDirSync({ prefix: "jarvis-story-" });
  try {
    await using shell = new Shell(home);
    const parts = page.split(/^(```console\n|```\n)/m);
    for (let at = 0; at < parts.length; at++) {
      if (parts[at - 1] !== "```console\n") continue;
      let played = "";
      for (const [text, command] of parts[at]!.matchAll(COMMAND)) {
        played += text + await shell.run(command!.replaceAll("\n> ", "\n"));
      }
      parts[at] = played;
    }
    return parts.join("");
  } finally {
    Deno.removeSync(home, { recursive: true });
  }
}

/** A shell of a person with a folder of their own, on the project's sources. */
class Shell implements AsyncDisposable {
  readonly #home: string;
  readonly #port = freePort();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #printed = "";

  constructor(home: string) {
    this.#home = home;
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
      },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** Runs a command; returns what it prints. One that goes on behind has begun then. */
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
    if (log) await this.#begun(join(this.#home, log));
    return printed.replace(PROGRESS, "").replaceAll(this.#home, HOME)
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
  }
}

function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** Where Deno keeps modules: it goes by HOME, which is another one there. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config"],
  }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

if (import.meta.main) {
  const path = projectPath(STORY_PAGE);
  Deno.writeTextFileSync(path, await playStory(Deno.readTextFileSync(path)));
}
