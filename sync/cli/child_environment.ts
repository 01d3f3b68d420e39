/**
 * The environment of a program that this one starts, as options of `Deno.Command`:
 * without the token, and without variables that Deno passes on only with all
 * permissions.
 */
export function childEnvironment(
  changes: Record<string, string> = {},
): { clearEnv: true; env: Record<string, string> } {
  const env = Object.fromEntries(
    Object.entries(Deno.env.toObject())
      .filter(([name]) => !/^(JARVIS_TOKEN$|LD_|DYLD_)/.test(name)),
  );
  return { clearEnv: true, env: { ...env, ...changes } };
}
