import { messageOf } from "../../host/message_of.ts";
import { readSmallText } from "../../host/small_file.ts";
import { tryTo } from "../../host/try_to.ts";
import type { TlsOptions } from "../../upload/http_client.ts";
import type { OptionValues } from "../arguments.ts";
import type { PathName } from "./options.ts";
import { readSecret } from "./secret_file.ts";

/** A file with certificates or a key. */
export interface TlsFile {
  path: string;
  /** Which version of it this is; empty if it cannot be looked at. */
  version: string;
}

/** Looks at the files that {@linkcode readTls} reads, to be called before that. */
export function tlsFiles(given: OptionValues): TlsFile[] {
  return (["ca-file", "client-cert", "client-key"] as const)
    .flatMap((name) => given.path(name) ?? [])
    .map((path) => ({ path, version: versionOf(path) }));
}

/** Those of the files that are other versions by now, as they are now. */
export function renewed(files: readonly TlsFile[]): TlsFile[] {
  return files.map(({ path }) => ({ path, version: versionOf(path) }))
    .filter(({ version }, n) => version !== files[n]!.version);
}

function versionOf(path: string): string {
  const info = tryTo(() => Deno.statSync(path));
  const { dev, ino, size, mtime } = info ?? {};
  return info ? `${dev} ${ino} ${size} ${mtime?.getTime()}` : "";
}

/**
 * Reads the certificates that the connection to the server is made with.
 *
 * @param err Is told if others may read the key.
 * @throws {UsageError} if one of the files cannot be used, or a certificate lacks
 * its key.
 */
export function readTls(
  given: OptionValues,
  err: (line: string) => void,
): TlsOptions {
  const ca = given.path("ca-file");
  const cert = given.path("client-cert");
  const key = given.path("client-key");
  given.needs("client-cert", "client-key");
  given.needs("client-key", "client-cert");
  return {
    ...(ca !== undefined && { caCerts: [readPem("ca-file", given)] }),
    ...(cert !== undefined && key !== undefined && {
      cert: readPem("client-cert", given),
      key: readSecret(key, "the client's key", err),
    }),
  };
}

function readPem(name: PathName, given: OptionValues): string {
  let reason = "there is no certificate in it";
  try {
    const text = readSmallText(given.path(name)!);
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    reason = messageOf(error);
  }
  throw given.wrong(name, `a file with a certificate as PEM (${reason})`);
}
