import type { Command } from "./command.ts";
import {
  METADATA,
  RUN_OPTIONS,
  SELECTION,
  SERVER,
  SPOOL,
  STORE,
  TALK,
  TURNS,
  UPLOADS,
} from "./settings/options.ts";

const NAMES = "PREFIX is how only this id begins, in four characters or more.";

/** Every command, in the order of the help. */
export const COMMANDS: Record<string, Command> = {
  run: {
    summary:
      "Be the agent: deliver what is queued and what comes, until told to stop",
    options: [...RUN_OPTIONS, "dry-run"],
    isAgent: true,
    readsToken: false,
    example:
      "jarvis-agent run --server https://captures.example.org --watch ~/Captures",
    notes:
      "SIGTERM, SIGINT and SIGQUIT end it cleanly, SIGHUP reads the token again, and a service's settings.",
    load: () => import("./commands/run.ts"),
  },
  enqueue: {
    summary: "Queue files; prints an id for each as soon as it is safe",
    args: "FILE...",
    options: [
      ...STORE,
      ...SPOOL,
      ...METADATA,
      "move",
      "no-copy",
      "priority",
      "json",
    ],
    example: "jarvis-agent enqueue door.png --metadata door=3",
    notes:
      "Exits 0 only if every file was queued; whatever becomes of the files then changes nothing.",
    load: () => import("./commands/enqueue.ts"),
  },
  upload: {
    summary: "Send files at once; what cannot be delivered now is queued",
    args: "FILE...",
    options: [...UPLOADS, ...STORE, ...SPOOL, ...METADATA, ...TALK],
    example:
      "jarvis-agent upload door.png --server https://captures.example.org",
    notes:
      "Exits 0 if all were delivered, 75 if some were queued, 1 if one was rejected.",
    load: () => import("./commands/upload.ts"),
  },
  sync: {
    summary: "Try every pending capture once, due or not, then exit",
    options: [...UPLOADS, ...STORE, ...TURNS, "keep-history", ...TALK],
    example: "jarvis-agent sync --server https://captures.example.org",
    notes:
      "Exits 0 when all was delivered, 75 when some are left to try later, 1 when some failed for good. A running agent does the work, by its own settings: --server and what else is for deliveries has no effect then.",
    load: () => import("./commands/sync.ts"),
  },
  status: {
    summary: "Show the queue, the agent and the server",
    options: [
      "server",
      "allow-insecure",
      ...STORE,
      ...SPOOL,
      "check",
      "max-age",
      "max-failed",
      "follow",
      "json",
    ],
    example: "jarvis-agent status --check --max-age 30m",
    load: () => import("./commands/status.ts"),
  },
  list: {
    summary: "Show the captures in the queue, oldest first",
    options: [...STORE, "status", ...SELECTION, "reason", "group", "json"],
    example: "jarvis-agent list --status failed --since 2d",
    load: () => import("./commands/list.ts"),
  },
  history: {
    summary: "Show what was delivered, the latest first",
    options: [...STORE, ...SELECTION, "json"],
    example: "jarvis-agent history --since 1h --path '*.png'",
    load: () => import("./commands/history.ts"),
  },
  show: {
    summary: "Show all that is known of one capture",
    args: "ID|PREFIX|FILE",
    options: [...STORE, "json"],
    example: "jarvis-agent show 0192f3",
    notes: NAMES,
    load: () => import("./commands/show.ts"),
  },
  retry: {
    summary: "Make captures due now, with no attempt charged",
    args: "ID|PREFIX|FILE...",
    min: 0,
    options: [...STORE, "failed", "all", "reason"],
    example: "jarvis-agent retry --failed",
    notes: NAMES,
    load: () => import("./commands/retry.ts"),
  },
  bump: {
    summary: "Let captures be sent next",
    args: "ID|PREFIX|FILE...",
    options: [...STORE],
    example: "jarvis-agent bump 0192f3ab",
    notes: NAMES,
    load: () => import("./commands/bump.ts"),
  },
  remove: {
    summary: "Remove captures from the queue, undelivered",
    args: "ID|PREFIX|FILE...",
    options: [...STORE, "yes"],
    example: "jarvis-agent remove door.png",
    notes: NAMES,
    load: () => import("./commands/remove.ts"),
  },
  export: {
    summary:
      "Copy captures with their metadata out of the queue, as NAME and NAME.json",
    args: "ID|PREFIX|FILE... DIR",
    options: [...STORE, "failed"],
    example: "jarvis-agent export --failed ./rescued",
    notes:
      `No file is replaced, and the captures stay in the queue. NAME is whole once NAME.json is there.
${NAMES}`,
    load: () => import("./commands/export.ts"),
  },
  cleanup: {
    summary: "Remove captures that failed some days ago",
    options: [...STORE, "days", "dry-run"],
    example: "jarvis-agent cleanup --days 30",
    load: () => import("./commands/cleanup.ts"),
  },
  pause: {
    summary: "Send nothing until told otherwise; captures are still taken over",
    options: [...STORE, "for"],
    example: "jarvis-agent pause --for 2h",
    notes:
      "What is being sent is broken off and sent again later. It holds across restarts.",
    load: () => import("./commands/pause.ts"),
  },
  resume: {
    summary: "End a pause",
    options: [...STORE],
    example: "jarvis-agent resume",
    load: () => import("./commands/resume.ts"),
  },
  check: {
    summary: "Ask the server whether it is ready",
    options: [...SERVER],
    example: "jarvis-agent check --server https://captures.example.org",
    notes:
      "Exits 0 if it is, 75 if not. Waits 5 s for an answer, or as long as --timeout says.",
    load: () => import("./commands/check.ts"),
  },
  doctor: {
    summary: "Look for what is wrong with this installation",
    options: [...RUN_OPTIONS, "json"],
    readsToken: false,
    toleratesWrong: true,
    example: "jarvis-agent doctor",
    notes:
      "Exits 0 if nothing keeps captures from being taken and delivered, else 1.",
    load: () => import("./commands/doctor.ts"),
  },
  config: {
    summary: "Show the settings of this host, and where each comes from",
    options: [...RUN_OPTIONS, "json"],
    example: "jarvis-agent config",
    notes:
      "Options come first, then the environment, then the settings file, then defaults.",
    load: () => import("./commands/config.ts"),
  },
  completions: {
    summary: "Print what lets a shell complete commands and options",
    args: "bash|zsh|fish",
    options: [],
    readsSettingsFile: false,
    example: "jarvis-agent completions bash",
    notes:
      `bash  jarvis-agent completions bash > ~/.local/share/bash-completion/completions/jarvis-agent
zsh   jarvis-agent completions zsh > DIR/_jarvis-agent, with a DIR that is in $fpath
fish  jarvis-agent completions fish > ~/.config/fish/completions/jarvis-agent.fish`,
    load: () => import("./commands/completions.ts"),
  },
  man: {
    summary: "Print the manual page",
    options: [],
    readsSettingsFile: false,
    example: "jarvis-agent man",
    notes: "jarvis-agent man | man -l - shows it.",
    load: () => import("./commands/man.ts"),
  },
  service: {
    summary: "Let systemd run the agent, for this user",
    args: "install|uninstall|status|print|restart|logs",
    options: RUN_OPTIONS,
    readsSettingsFile: false,
    example:
      "jarvis-agent service install --server https://captures.example.org --watch ~/Captures",
    notes:
      `install    Write the unit and its settings, start it, wait until it is ready
uninstall  Stop it, and remove both; the queue stays
status     Show how it is doing
print      Show the unit that install would write
restart    Restart it, and wait until it is ready
logs       Show what it said last

The options are those of "run"; install keeps them in ~/.config/jarvis/agent.env.
Installing again changes what is given anew, and keeps the rest.`,
    load: () => import("./commands/service.ts"),
  },
};
