import { isAgentRunning } from "../../agent/agent_lock.ts";
import { type Finding, ok, outage, warning } from "../../monitor/finding.ts";
import { knownRemedyOf, remedyOf } from "../../monitor/remedy.ts";
import { refusesToken } from "../../upload/outcome.ts";
import {
  EXPECTED_EXCEPTION,
  EXPECTED_PROXY,
  idleExceptions,
  proxyFor,
} from "../../upload/proxy.ts";
import type { Readiness, Reply } from "../../upload/readiness.ts";
import {
  createUploader,
  describeReadiness,
} from "../daemon/create_uploader.ts";
import type { CommandContext } from "../command.ts";
import { lookInto } from "../store.ts";
import type { Settings } from "../settings/config.ts";

/** From so much on a clock is wrong, in milliseconds: tokens and certificates expire by it. */
const CLOCK_MS = 60_000;

/** What a server answers to a form without a file, where it accepts the token. */
const WITHOUT_FILE = [400, 422];

/** What a proxy answers to everything if it does not accept the client's certificate. */
const OF_CERTIFICATES = [400, 403, 495, 496];

const LOOK_AT_CERTIFICATE =
  'see whether the certificate that --client-cert names has expired: "openssl x509 -enddate -noout -in FILE"; else have the server\'s own log say why';

/** Looks at the server, the way to it, the token, and the clock. */
export async function inspectServer(
  { settings }: Pick<CommandContext, "settings">,
): Promise<Finding[]> {
  if (settings.server === null) {
    using look = lookInto(settings);
    const known = look?.queue.getAgentState();
    if (known?.serverUrl && await isAgentRunning(look!.queue.path)) {
      const { serverUrl } = known;
      return [ok("server", `${serverUrl}, by the settings of the agent`)];
    }
    return [
      outage(
        "server",
        "no server is given",
        "give --server URL, or set JARVIS_SERVER_URL",
      ),
    ];
  }
  const proxy = proxyOf(settings.server);
  // Nothing is sent past it.
  if (proxy.level !== "ok") return [proxy];
  const unread = settings.token.get() === undefined
    ? await settings.token.reload().then(() => [], unreadable)
    : [];
  await using uploader = createUploader(settings);
  const { serverUrl } = uploader;
  const readiness = await uploader.probe();
  const trial = await uploader.tryToken();
  const answer = describeReadiness(serverUrl, readiness);
  const isOfAll = !readiness.ready && readiness.status === trial.status;
  return [
    serverOf(readiness, { answer, settings, isOfAll }),
    tlsOf(serverUrl, trial.status),
    proxy,
    ...exceptionsOf(settings.server),
    ...unread.length > 0 ? unread : [tokenOf(trial, settings, isOfAll)],
    clockOf(trial.serverTimeMs),
  ];
}

function serverOf(
  readiness: Readiness,
  { answer, settings, isOfAll }: {
    answer: string;
    settings: Settings;
    isOfAll: boolean;
  },
): Finding {
  if (!readiness.ready) {
    return outage("server", answer, remedyFor(readiness, settings, isOfAll));
  }
  const remedy = "open the address in a browser on this machine";
  return readiness.isPage
    ? warning("server", answer, remedy)
    : ok("server", answer);
}

function remedyFor(
  { status, reason }: Exclude<Readiness, { ready: true }>,
  { server: url, tokenFile, tls }: Settings,
  isOfAll: boolean,
): string {
  const isCertificate = isOfAll && tls.cert !== undefined &&
    OF_CERTIFICATES.includes(status ?? 0);
  if (isCertificate) return LOOK_AT_CERTIFICATE;
  return knownRemedyOf({ reason, url, tokenFile }) ??
    (status === null
      ? "see that its name, port, network and certificate are right"
      : "have the server's own log say why");
}

function unreadable({ message }: Error): Finding[] {
  return [outage("token", message, "mend that, then look again")];
}

function tlsOf(serverUrl: string, status: number | null): Finding {
  const { protocol } = new URL(serverUrl);
  if (protocol !== "https:") {
    return ok("TLS", "not used: the address begins with http://");
  }
  return status === null
    ? warning("TLS", "not known, nothing answers", "mend the server first")
    : ok("TLS", "the server's certificate is trusted");
}

function proxyOf(serverUrl: string): Finding {
  const proxy = proxyFor(serverUrl);
  if (!proxy) return ok("proxy", "none");
  const { name, host } = proxy;
  return host === undefined
    ? outage("proxy", `${name} is no address`, `set it to ${EXPECTED_PROXY}`)
    : ok("proxy", `${host} (${name}), but for what NO_PROXY names`);
}

function exceptionsOf(serverUrl: string): Finding[] {
  const { name, entries } = idleExceptions();
  if (!proxyFor(serverUrl) || entries.length === 0) return [];
  const shown = entries.map((entry) => `"${entry}"`).join(", ");
  const text = `entries of ${name} that match nothing: ${shown}`;
  return [warning("proxy", text, EXPECTED_EXCEPTION)];
}

function tokenOf(
  { status, reason }: Reply,
  { token, server: url, tokenFile }: Settings,
  isOfAll: boolean,
): Finding {
  const sent = token.get() ? "the token" : "a request without token";
  const wrong = refusesToken(status)
    ? `the server refuses ${sent}`
    : status !== null && takesNoCaptures(status)
    ? "nobody takes captures there"
    : null;
  if (wrong !== null) {
    const remedy = remedyOf({ reason, url, tokenFile });
    return outage("token", `${wrong}: ${reason}`, remedy);
  }
  if (status === null || status >= 500 || isOfAll) {
    const text = status === null
      ? "not tried, nothing answers"
      : `not known: ${reason}`;
    return warning("token", text, "mend the server first");
  }
  if (status < 300 || WITHOUT_FILE.includes(status)) {
    return ok("token", `the server accepts ${sent}`);
  }
  return warning(
    "token",
    `not known, a form without a file is answered ${reason}`,
    "expected 400 or 422: have the server's own log say why",
  );
}

function takesNoCaptures(status: number): boolean {
  return [404, 405, 407, 421, 426].includes(status) ||
    status >= 300 && status < 400;
}

function clockOf(serverTimeMs: number | null): Finding {
  if (serverTimeMs === null) return ok("clock", "the server tells no time");
  const offMs = Date.now() - serverTimeMs;
  const seconds = Math.round(Math.abs(offMs) / 1000);
  return Math.abs(offMs) < CLOCK_MS
    ? ok("clock", "it agrees with the server's")
    : warning(
      "clock",
      `it is ${seconds} s ${offMs > 0 ? "ahead of" : "behind"} the server's`,
      "have one of them set by NTP",
    );
}
