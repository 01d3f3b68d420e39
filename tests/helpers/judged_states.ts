import type { HealthLimits } from "../../sync/monitor/judge.ts";
import { type Changes, reportWith } from "./status_report.ts";

const THEN = "2026-01-02T03:00:00.000Z";
const agent = { running: false };
const service = { state: "failed (failed)", reason: null };
const paused = { since: THEN, until: null };
const down = { state: "down", since: THEN, reason: "HTTP 503" } as const;
const closed = { text: "Sat", open: false, since: THEN, until: null };
const old = { pending: 1, oldestPendingAgeSeconds: 9999 };
const folder = (
  watchedBy: "polling" | "missing" | "refused",
  {
    unreadable = 0,
    whyUnreadable = "permission denied",
    remaining = 0,
    why = "permission denied",
    obstacle = null as string | null,
  } = {},
) => ({
  folders: [{
    path: "/x",
    watchedBy,
    reason: watchedBy === "polling" ? obstacle : "it is a link",
    unreadable,
    firstUnreadable: unreadable === 0
      ? null
      : { path: "/x/a.png", reason: whyUnreadable },
    remaining,
    firstRemaining: remaining === 0 ? null : { path: "/x/b.png", reason: why },
  }],
});

const LOGS = '"jarvis-agent service logs" tells more';
const RESUME = '"jarvis-agent resume" lets them go on';
const RETRY =
  '"jarvis-agent list --status failed" says why, "jarvis-agent retry --failed" tries them again once that is mended';
const DOCTOR = '"jarvis-agent doctor" looks for the cause';
const ADDRESS =
  "see whether https://captures.example.org is the capture server's address";
const TOKEN =
  "put a valid token into /token; the agent reads it again by itself";

/** What a server says that takes nothing, and the remedy. */
const REFUSALS: [reason: string, remedy: string][] = [
  ["HTTP 401: no", TOKEN],
  ["HTTP 403", TOKEN],
  ["HTTP 407", "put the proxy's password into HTTPS_PROXY or HTTP_PROXY"],
  [
    "Cannot reach the server: client error (Connect): proxy authentication required",
    "put the proxy's password into HTTPS_PROXY or HTTP_PROXY",
  ],
  [
    "Cannot reach the server: client error (Connect): unsuccessful tunnel",
    "see whether HTTPS_PROXY or ALL_PROXY names the right proxy, and whether that lets this machine through",
  ],
  ["The server was reached, and its answer is not HTTP: ", ADDRESS],
  [
    "HTTP 409 Conflict",
    "see in the server's own log why it says of every capture that an earlier request with its key is in progress",
  ],
  ["HTTP 404", ADDRESS],
  ["HTTP 302 Found", ADDRESS],
  ["HTTP 204 with an empty body: this is not the capture server", ADDRESS],
  [
    "The whole capture was sent, and no answer came within 2 s",
    "give it longer with --timeout (JARVIS_TIMEOUT): it may store slowly",
  ],
  [
    "HTTP 495",
    "see whether the certificate that --client-cert names is valid, and one that the server accepts",
  ],
  ["HTTP 426 Upgrade Required", ADDRESS],
  [
    "HTTP 402 Payment Required",
    "see in the account with https://captures.example.org what is to be paid, or whether its quota is used up",
  ],
  [
    "HTTP 201 with an answer from a cache",
    "have the proxy or cache before https://captures.example.org pass every upload on, and keep no answer to one",
  ],
  [
    "invalid peer certificate: Expired",
    "have the server's certificate mended, or name its authority with --ca-file",
  ],
  [
    "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
    "give the server a certificate of its own, without CA:TRUE",
  ],
  [
    "HTTP 503: the page has 404 in it",
    `nothing is lost, deliveries go on by themselves once https://captures.example.org answers; ${DOCTOR}`,
  ],
];

type State = [changes: Changes, said?: string, limits?: HealthLimits];

/** All that is judged, and nearly: what is said of it with its remedy, if anything. */
const STATES: State[] = [
  [
    { agent },
    'outage agent: no agent runs → "jarvis-agent service install" keeps one running, "jarvis-agent run" is one',
  ],
  [
    { agent, service },
    `outage agent: no agent runs: the service is stopped → ${LOGS}, then "jarvis-agent service restart"`,
  ],
  [
    { agent, service: { ...service, reason: "exit status 1" } },
    `outage agent: no agent runs: exit status 1 → ${LOGS}, then "jarvis-agent service restart"`,
  ],
  [
    { service: { ...service, reason: "another one runs" } },
    `warning service: the service delivers nothing: another one runs → ${LOGS}`,
  ],
  [{ service }],
  [
    { agent: { hanging: true, heartbeatAt: THEN } },
    `outage agent: the agent hangs, its last turn was at ${THEN} → "kill -CONT 1" if somebody stopped it, else end it and start it again`,
  ],
  ...[
    "A reload was refused: no; going on with what held before",
    "Cannot read it; captures wait until it can be read",
  ].map((problem): State => [
    { agent: { problem } },
    `warning agent: ${problem} → mend what it names`,
  ]),
  // What the server did before says nothing of now.
  [
    { ...old, paused, server: down },
    `warning deliveries: deliveries are paused, 1 capture waits → ${RESUME}`,
    { maxAgeSeconds: 1 },
  ],
  [
    { paused: { since: THEN, until: "2026-01-02T04:00:00.000Z" } },
    `warning deliveries: deliveries are paused until 2026-01-02T04:00:00.000Z, 0 captures wait → ${RESUME}`,
  ],
  [{ ...old, schedule: closed, server: down }, , { maxAgeSeconds: 1 }],
  [{ server: { state: "unknown" } }],
  ...REFUSALS.map(([reason, remedy]): State => [
    { server: { ...down, reason, tokenFile: "/token" }, uploading: 2 },
    `outage server: the server cannot be used since ${THEN} (${reason}), 2 captures wait → ${remedy}`,
  ]),
  [
    { server: { ...down, state: "paused", reason: "HTTP 401" } },
    `outage server: the server cannot be used since ${THEN} (HTTP 401), 0 captures wait → ${
      TOKEN.replace("/token", "the file that --token-file names")
    }`,
  ],
  [old],
  [old, , { maxAgeSeconds: 9999 }],
  [
    old,
    `outage captures: a capture waits for 9999 s, expected at most 9998 → ${DOCTOR}`,
    { maxAgeSeconds: 9998 },
  ],
  // It could be sent since the schedule opened.
  [
    { ...old, schedule: { ...closed, open: true } },
    `outage captures: a capture waits for 245 s, expected at most 244 → ${DOCTOR}`,
    { maxAgeSeconds: 244 },
  ],
  [
    { spool: { bytes: 90, maxBytes: 100 } },
    "failure spool: the spool is full (90 B of 100 B), captures are refused → get the server to take some, or raise --max-spool-bytes",
  ],
  [
    { spool: { freeBytes: 999, minFreeBytes: 1000 } },
    "failure disk: the disk has 999 B left and 1 kB are kept free, with these settings captures are refused → make room on it, or lower --min-free-bytes",
  ],
  [
    { spool: { freeBytes: 65_535 } },
    "failure disk: the disk is full (65.5 kB left), captures are refused and deliveries may wait → make room on it",
  ],
  [
    {
      spool: {
        bytes: 89,
        maxBytes: 100,
        freeBytes: 65_536,
        minFreeBytes: 65_536,
      },
    },
  ],
  [
    { spool: { obstacle: "no file can be made in it (ENOSPC)" } },
    "failure data directory: no file can be made in it (ENOSPC) → until then no capture is taken over; what is there can be looked at and exported",
  ],
  [
    { spool: { obstacle: "it is mounted read-only (EROFS)" } },
    "outage data directory: it is mounted read-only (EROFS) → until then no capture is taken over; what is there can be looked at and exported",
  ],
  [
    { spool: { orphans: 2 } },
    'warning spool: 2 files in the spool\'s folder "orphans" without a capture → hand over again, or remove',
  ],
  [
    folder("missing"),
    'failure folder: the watched folder "/x" is missing → make or mount it',
  ],
  [
    folder("refused"),
    'failure folder: the watched folder "/x" is not looked into: it is a link → give it to this user, or name another one with --watch',
  ],
  [folder("polling")],
  [
    folder("polling", { obstacle: "Cannot use the spool" }),
    'failure folder: files of the watched folder "/x" cannot be taken over: Cannot use the spool → that is tried again; they stay where they are',
  ],
  [
    folder("polling", {
      unreadable: 1,
      whyUnreadable: "its name is not valid UTF-8",
    }),
    'warning folder: 1 file or folder in the watched folder "/x" cannot be read, like "/x/a.png": its name is not valid UTF-8 → rename it to have it delivered, or leave it out with --exclude',
  ],
  [
    folder("polling", {
      unreadable: 1,
      whyUnreadable: 'its disk is away, "/x" is on another disk',
    }),
    'warning folder: 1 file or folder in the watched folder "/x" cannot be read, like "/x/a.png": its disk is away, "/x" is on another disk → mount it again, or give up what is only there with "jarvis-agent remove"',
  ],
  [
    folder("polling", { remaining: 1, why: "the file system is read-only" }),
    'warning folder: 1 delivered file in the watched folder "/x" cannot be deleted or moved, like "/x/b.png": the file system is read-only → where a service runs the agent, "jarvis-agent service install" lets it write there; else mount it so, or set --after-upload to keep',
  ],
  // Told by the disk itself.
  [folder("polling", { obstacle: "Cannot take it: the disk is full" })],
  ...[[1, "1 file or folder"], [2, "2 files and folders"]].map((
    [count, them],
  ): State => [
    folder("polling", { unreadable: Number(count) }),
    `warning folder: ${them} in the watched folder "/x" cannot be read, like "/x/a.png": permission denied → let this user read them, or leave them out with --exclude`,
  ]),
  ...[[1, "1 delivered file"], [2, "2 delivered files"]].map((
    [count, them],
  ): State => [
    folder("polling", { remaining: Number(count) }),
    `warning folder: ${them} in the watched folder "/x" cannot be deleted or moved, like "/x/b.png": permission denied → let this user write to the folder, or set --after-upload to keep`,
  ]),
  ...["No space left on device (os error 28)", "the disk is full"].map((
    why,
  ): State => [
    folder("polling", { remaining: 1, why }),
    `warning folder: 1 delivered file in the watched folder "/x" cannot be deleted or moved, like "/x/b.png": ${why} → make room on the disk that they go to, or set --after-upload to keep`,
  ]),
  [{ failed: 1 }, `warning captures: 1 capture has failed → ${RETRY}`],
  [
    { failed: 3 },
    `warning captures: 3 captures have failed → ${RETRY}`,
    { maxFailed: 2 },
  ],
  [{ failed: 3 }, , { maxFailed: 3 }],
  [
    { database: { setAside: ["queue.db.corrupt-1"] } },
    'warning queue: a damaged queue was set aside and is kept as "queue.db.corrupt-1" → all of it was taken over: remove it when it is of no more use',
  ],
  [
    { database: { setAside: ["queue.db.corrupt-1-incomplete"] } },
    'warning queue: not all of a damaged queue could be read, it is kept as "queue.db.corrupt-1-incomplete" → hand over again what is missing of --no-copy or above --copy-up-to, then remove it',
  ],
];

/** The states, each with its report. */
export const JUDGED_STATES = STATES.map(([changes, said = "", limits = {}]) => (
  { report: reportWith(changes), said, limits }
));
