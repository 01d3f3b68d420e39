import { type Finding, ok, outage, warning } from "../../monitor/finding.ts";
import { knownRemedyOf, remedyOf } from "../../monitor/remedy.ts";
import { EXPECTED_PROXY, proxyFor } from "../../upload/proxy.ts";
import type { Reply } from "../../upload/readiness.ts";
import { createUploader, describeReadiness } from "../create_uploader.ts";
import type { CommandContext } from "../command.ts";
import type { Settings } from "../config.ts";

/** From so much on a clock is wrong, in milliseconds: tokens and certificates expire by it. */
const CLOCK_MS = 60_000;

/** Looks at the server, the way to it, the token, and the clock. */
export async function inspectServer(
  { settings }: Pick<CommandContext, "settings">,
): Promise<Finding[]> {
  if (settings.server === null) {
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
  const { tokenFile } = settings;
  const readiness = await uploader.probe();
  const trial = await uploader.tryToken();
  const answer = describeReadiness(serverUrl, readiness);
  return [
    readiness.ready ? ok("server", answer) : outage(
      "server",
      answer,
      knownRemedyOf({ ...readiness, url: serverUrl, tokenFile }) ??
        (readiness.status === null
          ? "see that its name, port, network and certificate are right"
          : "have the server's own log say why"),
    ),
    tlsOf(serverUrl, trial.status),
    proxy,
    ...unread.length > 0 ? unread : [tokenOf(trial, settings)],
    clockOf(trial.serverTimeMs),
  ];
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

function tokenOf(trial: Reply, settings: Settings): Finding {
  const { status, reason } = trial;
  const { token, server: url, tokenFile } = settings;
  if (status === null || status >= 500) {
    const text = status === null ? "not tried, nothing answers" : reason;
    return warning("token", text, "mend the server first");
  }
  const sent = token.get() ? "the token" : "a request without token";
  const text = [401, 403].includes(status)
    ? `the server refuses ${sent}: ${reason}`
    : [404, 405, 407, 421].includes(status) || status >= 300 && status < 400
    ? `nobody takes captures there: ${reason}`
    : undefined;
  if (text === undefined) return ok("token", `the server accepts ${sent}`);
  return outage("token", text, remedyOf({ reason, url, tokenFile }));
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
