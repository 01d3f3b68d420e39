/** What is wrong, as far as somebody can act on it. */
export type DatabaseFault = "damaged" | "full" | "busy" | "other";

/** SQLite could not do what it was asked to. */
export class DatabaseError extends Error {
  override name = "DatabaseError";
  /**
   * `damaged` if the file is not a sound database, `full` if the disk has no
   * room for what was to be written, `busy` if another process did not let go.
   */
  readonly fault: DatabaseFault;

  constructor(
    message: string,
    options: { fault: DatabaseFault; cause: unknown },
  ) {
    super(message, options);
    this.fault = options.fault;
  }
}

/** Whether an error is SQLite's and of this kind. */
export function hasFault(error: unknown, fault: DatabaseFault): boolean {
  return error instanceof DatabaseError && error.fault === fault;
}

/** SQLite's own words of a damage, if that is what an error tells. */
export function damageOf(error: unknown): string | undefined {
  if (!hasFault(error, "damaged")) return undefined;
  let innermost = error as Error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  return innermost.message;
}

/**
 * Runs a call into SQLite.
 *
 * @throws {DatabaseError} for whatever SQLite says; wrong arguments stay as they are.
 */
export function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof TypeError) throw cause;
    const fault = faultOf(cause);
    const message = fault === "damaged" ? damage(cause.message) : cause.message;
    throw new DatabaseError(message, { fault, cause });
  }
}

/** What a person must know of a damage, whatever was being done when it was found. */
export function damage(what: string): string {
  return `the queue is damaged (${what}): "jarvis-agent run" sets it aside when it starts, and so does "sync"`;
}

/** The engines have only SQLite's words in common. */
function faultOf({ message }: Error): DatabaseFault {
  if (/malformed|not a database|unsupported file format/.test(message)) {
    return "damaged";
  }
  if (message.includes("disk is full")) return "full";
  return message.includes("is locked") ? "busy" : "other";
}
