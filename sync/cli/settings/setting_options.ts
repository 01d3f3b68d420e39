import type { OptionSpec } from "./options.ts";

/** The options that a variable or the settings file can set as well. */
export const SETTING_OPTIONS = {
  "config": {
    env: "JARVIS_ENV_FILE",
    value: "FILE",
    path: "file",
    unset: "agent.env in $XDG_CONFIG_HOME/jarvis, else in ~/.config/jarvis",
    help: "Settings for what neither options nor environment give",
  },
  "server": {
    env: "JARVIS_SERVER_URL",
    value: "URL",
    help: "The capture server, like https://captures.example.org",
  },
  "data-dir": {
    env: "JARVIS_DATA_DIR",
    value: "DIR",
    path: "folder",
    unset: "$XDG_DATA_HOME/jarvis, else ~/.local/share/jarvis",
    help: "Where queue, lock and spool are",
  },
  "token-file": {
    env: "JARVIS_TOKEN_FILE",
    value: "FILE",
    path: "file",
    help:
      "File that holds the server's token (or the token itself in JARVIS_TOKEN)",
  },
  "token-command": {
    env: "JARVIS_TOKEN_COMMAND",
    value: "COMMAND",
    secret: "command",
    help:
      "Shell command that prints the server's token within 30 s, and needs no terminal for that",
  },
  "ca-file": {
    env: "JARVIS_CA_FILE",
    value: "FILE",
    path: "file",
    help: "Authorities to trust beside the system's, as PEM",
  },
  "client-cert": {
    env: "JARVIS_CLIENT_CERT",
    value: "FILE",
    path: "file",
    help: "Certificate to show to a server that asks for one, as PEM",
  },
  "client-key": {
    env: "JARVIS_CLIENT_KEY",
    value: "FILE",
    path: "file",
    help: "The key of --client-cert, as PEM",
  },
  "proof": {
    env: "JARVIS_PROOF",
    value: "id|status",
    standard: "id",
    help:
      "What counts as delivered: an answer with an id, or any 2xx, which a captive portal gives too",
  },
  "allow-insecure": {
    env: "JARVIS_ALLOW_INSECURE",
    help:
      "Allow plain http:// to another machine, readable by everybody on the way",
  },
  "timeout": {
    env: "JARVIS_TIMEOUT",
    value: "SECONDS",
    standard: "30",
    help: "Longest time without progress in a request",
  },
  "concurrency": {
    env: "JARVIS_CONCURRENCY",
    value: "N",
    standard: "32",
    help: "Most captures that are sent at a time, 1 to 64",
  },
  "order": {
    env: "JARVIS_ORDER",
    value: "oldest|newest",
    standard: "oldest",
    help: "Which captures are sent first, of those with the same priority",
  },
  "bandwidth": {
    env: "JARVIS_BANDWIDTH",
    value: "RATE",
    standard: "off",
    help:
      'The most bytes that all uploads together send a second, like 500K or 2M, or a timetable like "08:00,512K 18:00,10M Sat-00:00,off"',
  },
  "schedule": {
    env: "JARVIS_SCHEDULE",
    value: "TIMES",
    standard: "always",
    help:
      'Send only at these times of the week, like 22:00-06:00 or "Mon-Fri 18:00-08:00,Sat,Sun", local time; what is being sent when they end is broken off and sent again later',
  },
  "watch": {
    env: "JARVIS_WATCH",
    value: "DIR",
    path: "folder",
    repeatable: true,
    help: "Deliver every finished file of this folder; may be repeated",
  },
  "settle": {
    env: "JARVIS_SETTLE",
    value: "SECONDS",
    unset: "2, and 10 where the file system tells neither events nor writers",
    help: "How long a watched file must be unchanged to count as finished",
  },
  "include": {
    env: "JARVIS_INCLUDE",
    value: "GLOB",
    repeatable: true,
    help:
      "Only watched files that match, like *.png or door/**; may be repeated",
  },
  "exclude": {
    env: "JARVIS_EXCLUDE",
    value: "GLOB",
    repeatable: true,
    help: "No watched files or folders that match; may be repeated",
  },
  "min-size": {
    env: "JARVIS_MIN_SIZE",
    value: "BYTES",
    help: "No watched files that are smaller, like 1K",
  },
  "max-size": {
    env: "JARVIS_MAX_SIZE",
    value: "BYTES",
    help: "No watched files that are larger, like 4G",
  },
  "after-upload": {
    env: "JARVIS_AFTER_UPLOAD",
    value: "keep|delete|move:DIR",
    standard: "keep",
    help: "What becomes of a watched file once it is delivered",
  },
  "grace": {
    env: "JARVIS_GRACE",
    value: "SECONDS",
    standard: "10",
    help: "How long uploads in flight may go on when told to stop",
  },
  "max-spool-bytes": {
    env: "JARVIS_MAX_SPOOL_BYTES",
    value: "BYTES",
    unset: "no limit",
    help: "The most that the spool may hold, like 20G",
  },
  "min-free-bytes": {
    env: "JARVIS_MIN_FREE_BYTES",
    value: "BYTES",
    standard: "256M",
    help: "What the disk must have left to take a capture",
  },
  "keep-history": {
    env: "JARVIS_KEEP_HISTORY",
    value: "DAYS",
    standard: "90",
    help:
      "How long deliveries are remembered, but for watched files that are still there",
  },
  "copy-up-to": {
    env: "JARVIS_COPY_UP_TO",
    value: "BYTES",
    standard: "8M",
    help:
      "Copy watched files up to this size; larger ones must stay until they are delivered",
  },
  "listen": {
    env: "JARVIS_LISTEN",
    value: "ADDRESS",
    help:
      "Show how it goes on this address, like 127.0.0.1:9464: a page, /metrics, /healthz",
  },
  "listen-anywhere": {
    env: "JARVIS_LISTEN_ANYWHERE",
    help: "Let --listen be an address that other machines reach",
  },
  "metrics-file": {
    env: "JARVIS_METRICS_FILE",
    value: "FILE",
    path: "file",
    help:
      "Write metrics to this file every 15 s, for node_exporter's textfile collector (NAME.prom)",
  },
  "heartbeat-url": {
    env: "JARVIS_HEARTBEAT_URL",
    value: "URL",
    secret: "address",
    help: "Post to this address every minute while all is well",
  },
  "log-level": {
    env: "JARVIS_LOG_LEVEL",
    value: "debug|info|warn|error",
    standard: "info",
    help: "Log only what is at least so urgent",
  },
  "log-format": {
    env: "JARVIS_LOG_FORMAT",
    value: "text|json",
    standard: "text",
    help: "Log lines for people, or a JSON object each",
  },
  "verbose": {
    alias: "-v",
    env: "JARVIS_VERBOSE",
    help: "Log all there is, like --log-level debug (-v does the same)",
  },
} as const satisfies Record<string, OptionSpec>;
