const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** How many minutes a week has. */
export const WEEK_MINUTES = 7 * DAY_MINUTES;

/**
 * A value for each minute of a week, by the clock on the wall, as a change of
 * daylight saving time, or a person who sets the clock, moves it.
 */
export class WeekTable<T> {
  /** As a person wrote it. */
  readonly text: string;
  readonly #values: readonly T[];

  /** @param values A value for each minute of the week, from Sunday, 00:00, or one for all. */
  constructor(text: string, values: readonly T[]) {
    this.text = text;
    this.#values = values;
  }

  /** The value at a moment, in milliseconds since 1970. */
  at(ms: number): T {
    const time = new Date(ms);
    const minute = time.getDay() * DAY_MINUTES + time.getHours() * 60 +
      time.getMinutes();
    return this.#values[minute % this.#values.length]!;
  }

  /** Since when that holds, in milliseconds since 1970; `null` if always. */
  since(ms: number): number | null {
    const changed = this.#change(ms, -1);
    return changed === null ? null : changed + MINUTE_MS;
  }

  /** When something else will hold, in milliseconds since 1970; `null` if never. */
  until(ms: number): number | null {
    return this.#change(ms, 1);
  }

  /** The first minute that has another value: gone through one by one, as clocks are put forward and back. */
  #change(ms: number, step: 1 | -1): number | null {
    const value = this.at(ms);
    const begin = ms - ms % MINUTE_MS;
    for (let n = 1; n <= WEEK_MINUTES; n++) {
      const minute = begin + step * n * MINUTE_MS;
      if (this.at(minute) !== value) return minute;
    }
    return null;
  }
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** A moment as people name it from another one: `22:00`, with the day if that is not within 24 hours. */
export function clockText(ms: number, nowMs: number): string {
  const time = new Date(ms);
  const [hours, minutes] = [time.getHours(), time.getMinutes()]
    .map((part) => String(part).padStart(2, "0"));
  const isNear = Math.abs(ms - nowMs) < DAY_MINUTES * MINUTE_MS;
  return `${isNear ? "" : `${DAYS[time.getDay()]} `}${hours}:${minutes}`;
}

/** Returns the words for captures not being sent now, and when they will be. */
export function outsideText(untilMs: number | null, nowMs: number): string {
  const end = untilMs === null ? "" : ` until ${clockText(untilMs, nowMs)}`;
  return `outside the schedule${end}`;
}

/** The day of the week with a name of three letters, from Sunday, 0; -1 if none. */
export function dayNamed(name: string): number {
  return DAYS.findIndex((day) => day.toLowerCase() === name.toLowerCase());
}
