import { tryTo } from "../host/try_to.ts";
import { proxyFor } from "./proxy.ts";

/** Returns why `fetch` got no answer, with a remedy if one is known: one text for a person. */
export function describeFetchError(error: TypeError): string {
  const reason = explainFetch(error);
  return NOT_HTTP.test(reason)
    ? `The server was reached, and its answer is not HTTP: ${reason}; see whether its address and port are the capture server's`
    : `Cannot reach the server: ${reason}`;
}

/** What Deno says of an answer that it cannot read. */
const NOT_HTTP =
  /invalid (HTTP [\w-]+|content-length) parsed|message head is too large/;

/** Remedies where the reason alone, in a TLS library's words, does not tell a person what to do. */
const REMEDIES: readonly [reason: RegExp, remedy: string][] = [
  [
    /\bUnknownIssuer\b/,
    "expected a certificate from an authority that this system trusts, or from one in the file that SSL_CERT_FILE or --ca-file names",
  ],
  [
    /\bCaUsedAsEndEntity\b/,
    'the server shows an authority\'s certificate (CA:TRUE) as its own, expected one without that: "openssl req -x509" makes it with -addext basicConstraints=critical,CA:FALSE, and --ca-file may name it',
  ],
  [
    /certificate not valid for name/,
    "expected the server's address to be one that its certificate is for",
  ],
  [
    /extended key usage|InvalidPurpose/,
    "expected a certificate for servers: its extendedKeyUsage must have serverAuth in it",
  ],
  [
    /certificate:? (expired|not valid yet)|NotValidYet/i,
    "expected a certificate that is valid now: have it renewed, or set this machine's clock",
  ],
  [
    /CertificateRequired|BadCertificate|CertificateUnknown/,
    "expected a certificate that the server accepts: name it with --client-cert and --client-key",
  ],
  [
    /ProtocolVersion|HandshakeFailure|PeerIncompatible/,
    "expected a server that speaks TLS 1.2 or 1.3",
  ],
  [
    /corrupt message of type InvalidContentType/,
    "the server was reached and does not speak TLS: see whether its address should begin with http://, or has another port",
  ],
  [
    /proxy authentication required/,
    "the proxy in HTTPS_PROXY or ALL_PROXY wants a name and a password: put the right ones into that variable",
  ],
  [
    /unsuccessful tunnel|eof while tunneling|Proxy server unreachable/,
    "see whether the proxy in HTTPS_PROXY or ALL_PROXY is the right one and lets this machine through to the server, or name the server in NO_PROXY",
  ],
];

/** Returns the reason why `fetch` failed, with a remedy if one is known. */
function explainFetch(error: TypeError): string {
  // It is in the cause, or at the end of a long chain in the message.
  const { message } = error.cause instanceof Error ? error.cause : error;
  const reason = message.replace(
    /^error sending request (from \S+ )?for (url )?\S+( \(\S+\))?:? ?(?=\S)/,
    "",
  );
  const [, remedy = proxyRemedy(message)] =
    REMEDIES.find(([pattern]) => pattern.test(reason)) ?? [];
  return remedy ? `${reason}; ${remedy}` : reason;
}

/** A name that cannot be found may be the proxy's: the reason does not tell whose it is. */
function proxyRemedy(message: string): string | undefined {
  if (!message.includes("failed to lookup")) return undefined;
  const [, url = ""] = /\((https?:\/\/\S+)\)/.exec(message) ?? [];
  const proxy = tryTo(() => proxyFor(url));
  return proxy &&
    `it may be "${proxy.host}" that is not found, the proxy in ${proxy.name}: see whether that is the right one, or name the server in NO_PROXY`;
}
