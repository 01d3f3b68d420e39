import type { Facts } from "./status_report.ts";

/** What the remedy for a server that takes nothing depends on. */
type ServerTrouble = Pick<Facts["server"], "reason" | "url" | "tokenFile">;

/** The last resort, but for `doctor` itself. */
export const DOCTOR = '"jarvis-agent doctor" looks for the cause';

/** The remedy for a server that takes nothing, by its answer. */
export function remedyOf(server: ServerTrouble): string {
  return knownRemedyOf(server) ??
    `nothing is lost, deliveries go on by themselves once ${server.url} answers; ${DOCTOR}`;
}

/** Like {@linkcode remedyOf}; `undefined` if the answer does not tell. */
export function knownRemedyOf(
  { reason, url, tokenFile }: ServerTrouble,
): string | undefined {
  const [status] = /\b[345]\d\d\b/.exec(reason ?? "") ?? [];
  const file = tokenFile ?? "the file that --token-file names";
  const remedies: [RegExp, string][] = [
    [
      /^(40[13]|440|498) /,
      `put a valid token into ${file}; the agent reads it again by itself`,
    ],
    [
      /^402 /,
      `see in the account with ${url} what is to be paid, or whether its quota is used up`,
    ],
    [
      /^407 |proxy authentication required/,
      "put the proxy's password into HTTPS_PROXY or HTTP_PROXY",
    ],
    [
      /^409 /,
      "see in the server's own log why it says of every capture that an earlier request with its key is in progress",
    ],
    [
      /unsuccessful tunnel|while tunneling|Proxy server unreachable/,
      "see whether HTTPS_PROXY or ALL_PROXY names the right proxy, and whether that lets this machine through",
    ],
    [
      /^(3\d\d|40[45]|42[16]) |this is not the capture server|its answer is not HTTP/,
      `see whether ${url} is the capture server's address`,
    ],
    [
      /no answer came within/,
      "give it longer with --timeout (JARVIS_TIMEOUT): it may store slowly",
    ],
    [
      /^49[56] /,
      "see whether the certificate that --client-cert names is valid, and one that the server accepts",
    ],
    [
      /an answer from a cache/,
      `have the proxy or cache before ${url} pass every upload on, and keep no answer to one`,
    ],
    [
      /CaUsedAsEndEntity/,
      "give the server a certificate of its own, without CA:TRUE",
    ],
    [
      /certificate/i,
      "have the server's certificate mended, or name its authority with --ca-file",
    ],
  ];
  return remedies.find(([cause]) => cause.test(`${status} ${reason}`))?.[1];
}

/** Why a file cannot be moved to a disk that is full, in Deno's words or this program's. */
export const NO_ROOM = /no space left|disk is full|quota|share of the disk/i;

/** The remedy for a watched file or folder that cannot be read, by its reason. */
export function remedyForUnreadable(reason: string): string {
  return /^its disk is away/.test(reason)
    ? 'mount it again, or give up what is only there with "jarvis-agent remove"'
    : /UTF-8/.test(reason)
    ? "rename it to have it delivered, or leave it out with --exclude"
    : "let this user read them, or leave them out with --exclude";
}

/** The remedy for delivered files that cannot be deleted or moved. */
export function remedyForRemaining(why: string): string {
  if (NO_ROOM.test(why)) {
    return "make room on the disk that they go to, or set --after-upload to keep";
  }
  return /read-only/.test(why)
    ? 'where a service runs the agent, "jarvis-agent service install" lets it write there; else mount it so, or set --after-upload to keep'
    : "let this user write to the folder, or set --after-upload to keep";
}
