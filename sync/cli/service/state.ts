import type { StatusReport } from "../../monitor/status_report.ts";
import { WAITING } from "../status_report.ts";
import { readIfThere, servicePaths } from "./files.ts";
import { properties } from "./systemd.ts";
import { UNIT } from "./unit.ts";

/** Asks systemd for the state of the service; `null` if there is none, or it cannot be asked. */
export async function serviceState(): Promise<StatusReport["service"]> {
  try {
    if (readIfThere(servicePaths().unit) === "") return null;
    const found = await properties(
      UNIT,
      "ActiveState",
      "SubState",
      "Result",
      "StatusText",
      "ExecMainStatus",
    );
    const { ActiveState: active, SubState: sub, Result: result } = found;
    if (!active) return null;
    const hasFailed = active !== "active" && result !== "success";
    const { StatusText: text = "", ExecMainStatus: code } = found;
    const isIdle = hasFailed || text.startsWith(WAITING);
    const reason = text || `${result}, exit status ${code}`;
    return { state: `${active} (${sub})`, reason: isIdle ? reason : null };
  } catch {
    return null;
  }
}
