import type { CommandModule } from "./command.ts";

/** What does each command. Modules load when they are needed. */
export const COMMAND_MODULES: Record<string, () => Promise<CommandModule>> = {
  run: () => import("./commands/run.ts"),
  enqueue: () => import("./commands/enqueue.ts"),
  upload: () => import("./commands/upload.ts"),
  sync: () => import("./commands/sync.ts"),
  status: () => import("./commands/status.ts"),
  list: () => import("./commands/list.ts"),
  retry: () => import("./commands/retry.ts"),
  remove: () => import("./commands/remove.ts"),
  cleanup: () => import("./commands/cleanup.ts"),
  check: () => import("./commands/check.ts"),
  doctor: () => import("./commands/doctor.ts"),
  service: () => import("./commands/service.ts"),
};
