/** Returns what `act` returns; `undefined` if it throws, whatever the reason. */
export function tryTo<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
