/** What a person can do where the reason alone, in a TLS library's words, does not say. */
const REMEDIES: readonly [reason: RegExp, remedy: string][] = [
  [
    /\bUnknownIssuer\b/,
    "expected a certificate from an authority that this system trusts, or from one in the file that SSL_CERT_FILE or --ca-file names",
  ],
  [
    /certificate not valid for name/,
    "expected the server's address to be one that its certificate is for",
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
];

/** Returns why `fetch` failed, and what to do about it where that is known. */
export function reasonOf(error: TypeError): string {
  // It is in the cause, or at the end of a long chain in the message.
  const { message } = error.cause instanceof Error ? error.cause : error;
  const reason = message.replace(
    /^error sending request for url \([^)]*\):? ?/,
    "",
  );
  const [, remedy] = REMEDIES.find(([pattern]) => pattern.test(reason)) ?? [];
  return remedy ? `${reason}; ${remedy}` : reason;
}
