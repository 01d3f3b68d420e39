/** Returns what `act` returns; `undefined` if it throws, whatever the reason. */
export function tryTo<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** Returns what `act` returns; `undefined` if a file that it needs is not there. */
export function ifThere<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Returns a resource, once `act` has made it ready or found it good; closes it if that throws. */
export function closeOnError<T extends Disposable>(
  resource: T,
  act: (resource: T) => void,
): T {
  try {
    act(resource);
    return resource;
  } catch (error) {
    resource[Symbol.dispose]();
    throw error;
  }
}
