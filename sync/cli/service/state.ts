import type { StatusReport } from "../../monitor/status_report.ts";
import { readIfThere, servicePaths } from "./files.ts";
import { properties } from "./systemd.ts";
import { UNIT } from "./unit.ts";
import { REASON_PROPERTIES, reasonOf } from "./unit_state.ts";

/** Asks systemd for the state of the service; `null` if there is none, or it cannot be asked. */
export async function serviceState(): Promise<StatusReport["service"]> {
  try {
    const { unit, envFile } = servicePaths();
    if (readIfThere(unit) === "") return null;
    const found = await properties(UNIT, ...REASON_PROPERTIES);
    const { ActiveState: active, SubState: sub } = found;
    if (!active) return null;
    return { state: `${active} (${sub})`, reason: reasonOf(found, envFile) };
  } catch {
    return null;
  }
}
