import { readSmallText } from "../host/small_file.ts";
import type { TlsOptions } from "../upload/http_client.ts";
import type { Given } from "./arguments.ts";
import type { OptionName } from "./options.ts";
import { readSecret } from "./secret_file.ts";

/**
 * Reads the certificates that the connection to the server is made with.
 *
 * @param err Is told if others may read the key.
 * @throws {UsageError} if one of the files cannot be used, or a certificate lacks
 * its key.
 */
export function readTls(
  given: Given,
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

function readPem(name: OptionName, given: Given): string {
  let reason = "there is no certificate in it";
  try {
    const text = readSmallText(given.path(name)!);
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    reason = (error as Error).message;
  }
  throw given.wrong(name, `a file with a certificate as PEM (${reason})`);
}
