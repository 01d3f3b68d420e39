import type { Misbehaviour } from "../../scripts/server/misbehaviour.ts";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { delay } from "@std/async/delay";
import { inherited } from "../helpers/cli.ts";
import { Child } from "./child.ts";
import type { Network } from "./network.ts";

/** The reference server as a process, behind a network that can be cut. */
export class ServerHost implements AsyncDisposable {
  readonly #dir: string;
  readonly #seed: number;
  readonly #network: Network;
  #child: Child | undefined;
  #starts = 0;
  #misbehaviour: Partial<Misbehaviour> = {};

  constructor(dir: string, seed: number, network: Network) {
    this.#dir = dir;
    this.#seed = seed;
    this.#network = network;
  }

  /** Starts it, and waits until it takes connections. */
  async start(): Promise<void> {
    const listening = Promise.withResolvers<void>();
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        ...bindingFlags(),
        projectPath("tests/chaos/capture_server.ts"),
        this.#dir,
        String(this.#seed + this.#starts++),
      ],
      clearEnv: true,
      env: inherited(),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    const child = new Child(command, (port) => {
      this.#network.upstreamPort = Number(port);
      listening.resolve();
    });
    this.#child = child;
    child.ended().then(() => {
      const error = new Error(`The server did not start: ${child.stderr}`);
      if (!child.wasKilled) listening.reject(error);
      listening.resolve();
    });
    await child.write(JSON.stringify(this.#misbehaviour) + "\n");
    await listening.promise;
  }

  /** Ends it, and starts it again after a while. Returns whether it was running. */
  async kill(signal: Deno.Signal, downMs: number): Promise<boolean> {
    const child = this.#child;
    if (!child?.kill(signal)) return false;
    this.#child = undefined;
    await child.ended();
    this.#network.upstreamPort = undefined;
    await delay(downMs);
    await this.start();
    return true;
  }

  /** Stops it for a while, as if the machine hung. */
  async stop(forMs: number): Promise<void> {
    await this.#child?.stop(forMs);
  }

  /** Says what goes wrong from now on; nothing else does. */
  async misbehave(changes: Partial<Misbehaviour>): Promise<void> {
    this.#misbehaviour = changes;
    await this.#child?.write(JSON.stringify(changes) + "\n");
  }

  /** Whether this is what goes wrong now. */
  misbehaves(changes: Partial<Misbehaviour>): boolean {
    return this.#misbehaviour === changes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
  }
}
