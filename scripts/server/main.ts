/** Runs the reference server: `deno task server --port 8000 --dir ./received`. */

import { parseArgs } from "@std/cli/parse-args";
import { refuseUnknown, runProgram, UsageError } from "../program.ts";
import { isWithin, LIMITS } from "./misbehaviour.ts";
import {
  ReferenceServer,
  type ReferenceServerOptions,
} from "./reference_server.ts";

const HELP = `The reference capture server

Usage: deno task server [OPTIONS]

  --port PORT        listen on this port, 0 takes a free one (default 8000)
  --host ADDRESS     listen on this address (default 127.0.0.1)
  --dir DIR          keep captures here (default ./received)
  --max-bytes N      answer a request that is larger with 413
  --no-fsync         answer before a capture would survive a power failure
  --quiet            do not log each upload

With JARVIS_TOKEN set, uploads must carry that token.

To see how a client copes:
  --status N         answer every upload with this status, 300 to 599
  --fail-rate P      answer this share of the uploads 500, 0 to 1
  --drop-rate P      cut the connection of this share of the uploads: before
                     the body, amid it, or after storing but before the answer
  --latency MS       hold each answer back; a capture is stored before

Example: deno task server --port 8000 --dir ./received --drop-rate 0.2
`;

/** The least and the greatest value of each option that is a number. */
const NUMBERS = {
  port: [0, 65_535],
  "max-bytes": [0, 2 ** 53 - 1],
  status: LIMITS.status,
  "fail-rate": LIMITS.failRate,
  "drop-rate": LIMITS.dropRate,
  latency: LIMITS.latencyMs,
} as const;
const TEXTS = ["host", "dir"] as const;

/** @throws {UsageError} if an option is unknown, or its value is not as expected. */
function parseOptions(args: string[]): ReferenceServerOptions {
  const flags = parseArgs(args, {
    string: [...Object.keys(NUMBERS), ...TEXTS],
    boolean: ["no-fsync", "quiet"],
    unknown: refuseUnknown,
  }) as Record<string, unknown>;
  const text = (name: typeof TEXTS[number]) => {
    if (flags[name] !== "") return flags[name] as string | undefined;
    throw new UsageError(`Cannot use --${name} "": expected a value`);
  };
  const number = (name: keyof typeof NUMBERS) => {
    if (flags[name] === undefined) return undefined;
    const value = Number(flags[name]);
    if (flags[name] !== "" && isWithin(value, NUMBERS[name])) return value;
    const [min, max] = NUMBERS[name];
    throw new UsageError(
      `Cannot use --${name} "${flags[name]}": expected a ${
        max === 1 ? "" : "whole "
      }number from ${min} to ${max}`,
    );
  };
  return {
    port: number("port") ?? 8_000,
    hostname: text("host") ?? "127.0.0.1",
    dir: text("dir") ?? "./received",
    token: Deno.env.get("JARVIS_TOKEN") || undefined,
    maxBytes: number("max-bytes"),
    fsync: !flags["no-fsync"],
    misbehaviour: {
      status: number("status"),
      failRate: number("fail-rate") ?? 0,
      dropRate: number("drop-rate") ?? 0,
      latencyMs: number("latency") ?? 0,
    },
    log: flags.quiet ? undefined : console.error,
  };
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const { dir, hostname, port } = options;
  let server;
  try {
    server = new ReferenceServer(options);
  } catch (error) {
    const { message } = error as Error;
    console.error(`Cannot serve "${dir}" on ${hostname}:${port}: ${message}`);
    return 1;
  }
  console.log(`Listening on ${server.url}, keeping captures in ${dir}`);
  await toldToStop();
  await server.close();
  return 0;
}

/** Waits for SIGINT or SIGTERM; the next one ends the process at once. */
function toldToStop(): Promise<void> {
  const other = Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM";
  const signals: Deno.Signal[] = ["SIGINT", other];
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
      resolve();
    };
    for (const signal of signals) Deno.addSignalListener(signal, stop);
  });
}

if (import.meta.main) await runProgram(HELP, main);
