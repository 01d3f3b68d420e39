import { ANSWERS } from "./answers.ts";
import { ERRORS } from "./errors.ts";
import { FIRST_DESIGN_ROWS } from "./first_design_rows.ts";
import { METADATA } from "./metadata.ts";
import { QUEUE_ROWS } from "./queue_rows.ts";
import { REQUEST_BODY } from "./request_body.ts";
import { SERVICE_FILES } from "./service_files.ts";
import { SERVICE_SETTINGS } from "./service_settings.ts";
import { SETTINGS } from "./settings.ts";
import { SIDECARS } from "./sidecars.ts";
import { SPOOL_RECORDS } from "./spool_records.ts";
import type { Target } from "./target.ts";

/** Everything that input from outside must not break. */
export const TARGETS: readonly Target[] = [
  ...ANSWERS,
  ...ERRORS,
  ...FIRST_DESIGN_ROWS,
  ...METADATA,
  ...QUEUE_ROWS,
  ...REQUEST_BODY,
  ...SERVICE_FILES,
  ...SERVICE_SETTINGS,
  ...SETTINGS,
  ...SIDECARS,
  ...SPOOL_RECORDS,
];
