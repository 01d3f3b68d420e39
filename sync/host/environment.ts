/** Thrown for a variable of the environment that is no text. */
export class VariableError extends Error {}

/**
 * Returns a variable of the environment, or `undefined` if it is not set.
 *
 * @throws {VariableError} if it is not UTF-8; its value, which may be a secret, is not
 * repeated.
 */
export function variable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.InvalidData)) throw error;
    throw new VariableError(
      `Cannot use the environment variable ${name}: expected UTF-8`,
    );
  }
}
