/** Whether this is the oldest version of Deno that is supported: some of what it cannot do is not tested with it. */
export const IS_OLDEST_DENO = Deno.version.deno.startsWith("2.4.");
