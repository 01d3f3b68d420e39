import { assertEquals } from "@std/assert";
import { reasonOf } from "../../../sync/cli/service/unit_state.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/** A unit that has ended, and whose status is still that of the time before. */
function ended(found: Record<string, string>): Record<string, string> {
  return {
    ActiveState: "activating",
    SubState: "auto-restart",
    StatusText: "everything is delivered",
    ExecMainStatus: "0",
    ...found,
  };
}

Deno.test("reasonOf() takes no status of the time before for the reason why the agent ended", () => {
  for (
    const [found, expected] of [
      [
        { Result: "signal", ExecMainStatus: "9" },
        "it was killed (signal 9), and is started again",
      ],
      [
        {
          Result: "signal",
          ExecMainStatus: "9",
          ActiveState: "failed",
          SubState: "failed",
        },
        "it was killed (signal 9)",
      ],
      [
        { Result: "core-dump", ExecMainStatus: "6" },
        "it crashed (signal 6), and is started again",
      ],
      [{ Result: "watchdog" }, "it hung and was killed, and is started again"],
      [
        { Result: "exit-code", ExecMainStatus: "101" },
        "it ended with exit status 101",
      ],
      [{ Result: "protocol" }, "systemd cannot run it (protocol)"],
    ] as const
  ) assertEquals(reasonOf(ended(found), "/"), expected);
});

Deno.test("reasonOf() has the error of an agent that ended by itself", () => {
  for (const ExecMainStatus of ["1", "2", "75"]) {
    const found = { Result: "exit-code", ExecMainStatus, StatusText: "Cannot" };
    assertEquals(reasonOf(ended(found), "/"), "Cannot");
  }
});

Deno.test("reasonOf() has nothing of an agent that works or was stopped, and why one waits", () => {
  const waiting = { Result: "success", StatusText: "Waiting: Cannot" };
  const active = { ...waiting, ActiveState: "active" };
  assertEquals(reasonOf(active, "/"), "Waiting: Cannot");
  assertEquals(reasonOf({ ...waiting, ActiveState: "inactive" }, "/"), null);
  assertEquals(reasonOf({ ...active, StatusText: "ready" }, "/"), null);
});

Deno.test("reasonOf() names the settings file or the executable that is gone", async () => {
  await using dir = new TempDir();
  const gone = dir.join("a b");
  assertEquals(
    reasonOf(ended({ Result: "resources" }), gone),
    `its settings file "${gone}" is gone: put it back, or "jarvis-agent service install --server URL" writes it anew`,
  );
  assertEquals(
    reasonOf(ended({ Result: "resources" }), dir.path),
    "systemd cannot run it (resources)",
  );
  const start = (path: string) =>
    ended({
      Result: "exit-code",
      ExecMainStatus: "203",
      ExecStart: `{ path=${path} ; argv[]=${path} run ; ignore_errors=no }`,
    });
  assertEquals(reasonOf(start(gone), "/"), `its executable "${gone}" is gone`);
  assertEquals(
    reasonOf(start(dir.path), "/"),
    `its executable "${dir.path}" cannot be run`,
  );
});
