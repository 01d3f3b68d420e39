import type { StatusReport } from "./status_report.ts";

/** What advice names, where it is known. */
export interface AdviceNames {
  /** The file with the server's token. */
  tokenFile?: string | undefined;
  /** How much the disk must have left to take captures, in bytes. */
  minFreeBytes: number;
}

/** So much of the spool's limit is as good as all of it. */
export const NEARLY_FULL = 0.9;

/** Says what a person should do, a line for each problem. */
export function adviceOn(
  report: Omit<StatusReport, "verdict" | "advice">,
  names: AdviceNames,
): string[] {
  const { paused, failed } = report;
  return [
    ...agentAdvice(report),
    ...(paused ? ['Deliveries are paused: "jarvis-agent resume"'] : []),
    ...serverAdvice(report, names),
    ...spoolAdvice(report, names),
    ...folderAdvice(report),
    ...(failed > 0
      ? [
        `${failed} failed: "jarvis-agent list --status failed" says why, ` +
        '"jarvis-agent retry --failed" tries them again once that is mended',
      ]
      : []),
  ];
}

type Part = Omit<StatusReport, "verdict" | "advice">;

function agentAdvice({ agent, service }: Part): string[] {
  const advice = agent.problem ? [agent.problem] : [];
  if (agent.hanging) {
    const { pid, heartbeatAt } = agent;
    const restart = service
      ? '"jarvis-agent service restart"'
      : "end it and start it again";
    advice.push(
      `The agent hangs, its last turn was at ${heartbeatAt}: "kill -CONT ${pid}" if somebody stopped it, else ${restart}`,
    );
  }
  if (agent.running) return advice;
  if (!service) {
    advice.push(
      'No agent runs: "jarvis-agent service install" keeps one running, "jarvis-agent run" is one',
    );
  } else if (service.reason === null) {
    advice.push('The service is stopped: "jarvis-agent service restart"');
  } else {
    advice.push(
      `The service is down (${service.reason}): "jarvis-agent service logs" tells more, then "jarvis-agent service restart"`,
    );
  }
  return advice;
}

function serverAdvice({ server, agent }: Part, names: AdviceNames): string[] {
  const { state, since, url } = server;
  if (!agent.running) return [];
  if (state !== "down" && state !== "paused") return [];
  const reason = server.reason ?? "no reason known";
  const what = `${reason}, since ${since}`;
  const status = Number(/\b([345]\d\d)\b/.exec(reason)?.[1]);
  if (status === 401 || status === 403) {
    const file = names.tokenFile ?? "the file that --token-file names";
    return [
      `${what}: put a valid token into ${file}; the agent reads it again by itself`,
    ];
  }
  if (status === 407) {
    return [`${what}: HTTPS_PROXY or HTTP_PROXY lacks the proxy's password`];
  }
  if (
    [404, 405, 421].includes(status) || status >= 300 && status < 400 ||
    reason.includes("this is not the capture server")
  ) {
    return [`${what}: ${url} may not be the capture server's address`];
  }
  if (/certificate/i.test(reason)) {
    return [
      `${what}: have the server's certificate mended, or name its authority with --ca-file`,
    ];
  }
  return [
    `${what}: nothing is lost, deliveries go on by themselves once ${url} answers; "jarvis-agent doctor" looks for the cause`,
  ];
}

function spoolAdvice({ spool }: Part, { minFreeBytes }: AdviceNames): string[] {
  const { bytes, maxBytes, freeBytes } = spool;
  const advice: string[] = [];
  if (maxBytes !== null && bytes >= maxBytes * NEARLY_FULL) {
    advice.push(
      "The spool is full, captures are refused: get the server to take some, or raise --max-spool-bytes",
    );
  }
  if (freeBytes !== null && freeBytes < minFreeBytes) {
    advice.push(
      `The disk has ${freeBytes} bytes left and ${minFreeBytes} are kept free, captures are refused: make room on it`,
    );
  }
  return advice;
}

function folderAdvice({ folders }: Part): string[] {
  return folders.flatMap(({ path, watchedBy, reason }) => {
    if (watchedBy === "missing") {
      return [`The watched folder "${path}" is missing: make or mount it`];
    }
    if (watchedBy !== "refused") return [];
    return [`The watched folder "${path}" is not looked into: ${reason}`];
  });
}
