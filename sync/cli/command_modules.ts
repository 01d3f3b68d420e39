import type { CommandModule } from "./command.ts";

/** What does each command. Modules load when they are needed. */
export const COMMAND_MODULES: Record<string, () => Promise<CommandModule>> = {
  run: () => import("./run.ts"),
  enqueue: () => import("./enqueue.ts"),
  upload: () => import("./upload.ts"),
  sync: () => import("./sync.ts"),
  status: () => import("./status.ts"),
  list: () => import("./list.ts"),
  retry: () => import("./retry.ts"),
  remove: () => import("./remove.ts"),
  cleanup: () => import("./cleanup.ts"),
  check: () => import("./check.ts"),
  doctor: () => import("./doctor.ts"),
  service: () => import("./service.ts"),
};
