import { hasProgram } from "./has_program.ts";

const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;

/** Whether a test can see what permissions do: to root they do nothing. */
export const HAS_PERMISSIONS = Deno.build.os !== "windows" &&
  (!isRoot || hasProgram("setpriv"));

/** What root may do in spite of permissions. */
const POWERS = ["dac_override", "dac_read_search", "fowner"];

/** What starts a program for which permissions hold, whoever runs the test. */
export const AS_PLAIN_USER: readonly string[] = isRoot
  ? ["setpriv", "--bounding-set", POWERS.map((name) => `-${name}`).join()]
  : [];
