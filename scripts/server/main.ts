/** Runs the reference server: `deno task server --port 8000 --dir ./received`. */

import { parseArgs } from "@std/cli/parse-args";
import {
  type ReferenceServerOptions,
  startReferenceServer,
} from "./reference_server.ts";

const HELP = `The reference capture server

Usage: deno task server [OPTIONS]

  --port PORT        listen on this port, 0 takes a free one (default 8000)
  --host ADDRESS     listen on this address (default 127.0.0.1)
  --dir DIR          keep captures here (default ./received)
  --token-file FILE  ask for the token in this file; or set JARVIS_TOKEN
  --max-bytes N      refuse uploads of more bytes
  --no-fsync         answer before a capture would survive a power failure
  --quiet            do not log each upload

To see how a client copes:
  --status N         answer every upload with this status, 300 to 599
  --fail-rate P      answer this share of the uploads 500, 0 to 1
  --drop-rate P      cut the connection of this share of the uploads: before
                     the body, amid it, or after storing but before the answer
  --latency MS       hold each answer back; a capture is stored before

Example: deno task server --port 8000 --dir ./received --drop-rate 0.2
`;

/** A mistake in the arguments, said in words for the user. */
class UsageError extends Error {}

/** @throws {UsageError} if an option is unknown, or its value is not as expected. */
function parseOptions(args: string[]): ReferenceServerOptions {
  const flags = parseArgs(args, {
    string: [
      "port",
      "host",
      "dir",
      "token-file",
      "max-bytes",
      "status",
      "fail-rate",
      "drop-rate",
      "latency",
    ],
    boolean: ["no-fsync", "quiet"],
    unknown: (argument: string) => {
      throw new UsageError(
        `Unknown argument "${argument}": see --help for those there are`,
      );
    },
  });
  /** A number within a range, checked here because the user knows options, not fields. */
  function number(name: string, max: number, min = 0): number | undefined {
    const text = flags[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    const isWhole = max <= 1 || Number.isInteger(value);
    if (text === "" || !isWhole || !(value >= min && value <= max)) {
      throw new UsageError(
        `Cannot use --${name} "${text}": expected a ${
          max <= 1 ? "" : "whole "
        }number from ${min} to ${max}`,
      );
    }
    return value;
  }
  for (const name of ["host", "dir", "token-file"]) {
    if (flags[name] === "") {
      throw new UsageError(`Cannot use --${name} "": expected a value`);
    }
  }
  return {
    port: number("port", 65_535) ?? 8_000,
    hostname: flags.host ?? "127.0.0.1",
    dir: flags.dir ?? "./received",
    token: readToken(flags["token-file"]),
    maxBytes: number("max-bytes", Number.MAX_SAFE_INTEGER, 1) ?? Infinity,
    fsync: !flags["no-fsync"],
    misbehaviour: {
      status: number("status", 599, 300),
      failRate: number("fail-rate", 1) ?? 0,
      dropRate: number("drop-rate", 1) ?? 0,
      latencyMs: number("latency", 2 ** 31 - 1) ?? 0,
    },
    log: flags.quiet ? undefined : (line) => console.error(line),
  };
}

function readToken(path: string | undefined): string | undefined {
  if (path === undefined) return Deno.env.get("JARVIS_TOKEN") || undefined;
  let token;
  try {
    token = Deno.readTextFileSync(path).trim();
  } catch (error) {
    throw new UsageError(
      `Cannot read --token-file "${path}": ${(error as Error).message}`,
    );
  }
  if (token === "") {
    throw new UsageError(
      `Cannot use --token-file "${path}": expected a token in it, found nothing`,
    );
  }
  return token;
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP);
    return 0;
  }
  let options, server;
  try {
    options = parseOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
  try {
    server = startReferenceServer(options);
  } catch (error) {
    console.error(
      `Cannot serve "${options.dir}" on ${options.hostname}:${options.port}: ${
        (error as Error).message
      }`,
    );
    return 1;
  }
  console.log(`Listening on ${server.url}, keeping captures in ${options.dir}`);
  await toldToStop();
  await server.close();
  return 0;
}

/** Waits for SIGINT or SIGTERM; the next one ends the process at once. */
function toldToStop(): Promise<void> {
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
      resolve();
    };
    for (const signal of signals) Deno.addSignalListener(signal, stop);
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
