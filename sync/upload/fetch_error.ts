/** What a person can do where the reason alone, in a TLS library's words, does not say. */
const REMEDIES: readonly [reason: RegExp, remedy: string][] = [
  [
    /\bUnknownIssuer\b/,
    "expected a certificate from an authority that this system trusts, or from one in the file that SSL_CERT_FILE names",
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
