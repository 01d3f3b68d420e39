/** Times of the week as people write them: when to send, and how fast. */

import {
  dayNamed,
  outsideText,
  WEEK_MINUTES,
  WeekTable,
} from "../../host/week_table.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import { parseBytes } from "./quantities.ts";

/** The form of a schedule. */
export const SCHEDULE_FORM =
  "always, or times like 22:00-06:00 or Mon-Fri 18:00-08:00,Sat,Sun";
/** The form of a bandwidth. */
export const BANDWIDTH_FORM =
  "bytes a second, 1K or more, like 500K or 2M, off, or a timetable like 08:00,512K 18:00,10M 23:00,off";

const DAY_MINUTES = WEEK_MINUTES / 7;
/** Less would let nothing through, in bytes a second. */
const MIN_BANDWIDTH = 1024;

const WINDOW = /^([a-z]{3}(?:-[a-z]{3})?)?\s*(?:(\d\d?:\d\d)-(\d\d?:\d\d))?$/i;
const POINT = /^(?:([a-z]{3}(?:-[a-z]{3})?)-)?(\d\d?:\d\d),(.+)$/i;

/**
 * Reads the times of the week at which captures are sent: windows separated by
 * commas, each `22:00-06:00`, `Sat`, `Mon-Fri`, or days with times. A window that
 * goes beyond midnight belongs to the day on which it begins.
 *
 * @returns `undefined` if it is written otherwise.
 */
export function parseSchedule(text: string): WeekTable<boolean> | undefined {
  const isOpen = Array<boolean>(WEEK_MINUTES).fill(false);
  for (const window of text.split(",").map((part) => part.trim())) {
    const [found, range, from = "00:00", to = "24:00"] = WINDOW.exec(window) ??
      [];
    const days = daysOf(range);
    const [begin, end] = [minuteOf(from), minuteOf(to)];
    if (!found || !days || !(begin < DAY_MINUTES) || !(end >= 0)) return;
    if (begin === end) return;
    const length = end > begin ? end - begin : end - begin + DAY_MINUTES;
    for (const day of days) {
      for (let n = 0; n < length; n++) {
        isOpen[(day * DAY_MINUTES + begin + n) % WEEK_MINUTES] = true;
      }
    }
  }
  return new WeekTable(text, isOpen);
}

/**
 * Reads how many bytes may leave a second: one number, `off`, or a timetable as rclone
 * has it, of points separated by spaces, each `08:00,512K` or `Mon-08:00,512K`. The
 * last point of the week holds until the first; a point of some days takes the place
 * of one of every day.
 *
 * @returns `undefined` if it is written otherwise, or has two rates for a time.
 */
export function parseBandwidth(text: string): WeekTable<number> | undefined {
  if (!text.includes(",")) {
    const rate = rateOf(text);
    return rate === undefined ? undefined : new WeekTable(text, [rate]);
  }
  const { rates, twice } = readPoints(text) ?? {};
  if (!rates || twice !== undefined) return;
  let rate = rates.at(-1)!;
  const values = { length: WEEK_MINUTES };
  return new WeekTable(
    text,
    Array.from(values, (_, minute) => rate = rates[minute] ?? rate),
  );
}

/** The expected form, in place of a bandwidth that cannot be used. */
export function expectedBandwidth(text: string): string {
  const { twice } = readPoints(text) ?? {};
  return twice === undefined
    ? BANDWIDTH_FORM
    : `one rate for each time, and ${twice} has two`;
}

/** The rates by minute of the week, where there is a point, and a time that has two of them. */
function readPoints(text: string) {
  const [ofAllDays, ofSome]: [number[], number[]] = [[], []];
  let twice: string | undefined;
  for (const point of text.trim().split(/\s+/)) {
    const [, range, time = "", written = ""] = POINT.exec(point) ?? [];
    const [days, ofDay, rate] = [
      daysOf(range),
      minuteOf(time),
      rateOf(written),
    ];
    if (!days || !(ofDay < DAY_MINUTES) || rate === undefined) return;
    const rates = range === undefined ? ofAllDays : ofSome;
    for (const minute of days.map((day) => day * DAY_MINUTES + ofDay)) {
      if ((rates[minute] ?? rate) !== rate) twice = point.split(",")[0];
      rates[minute] = rate;
    }
  }
  return { rates: Object.assign(ofAllDays, ofSome), twice };
}

/** Returns the words for how long an agent with this schedule sends nothing; `null` if it sends now. */
export function outsideSchedule(text: string | null): string | null {
  const [schedule, nowMs] = [parseSchedule(text ?? ""), Date.now()];
  if (!schedule || schedule.at(nowMs)) return null;
  return outsideText(schedule.until(nowMs), nowMs);
}

/** The timetables as a person wrote them; `null` for a setting that always holds. */
export function timetablesOf({ schedule, bandwidth }: {
  schedule: WeekTable<boolean> | null | undefined;
  bandwidth: WeekTable<number>;
}) {
  const isLimited = bandwidth.until(0) !== null || bandwidth.at(0) < Infinity;
  return {
    schedule: schedule?.text ?? null,
    bandwidth: isLimited ? bandwidth.text : null,
  };
}

/** Prints that a person's request is sent, also outside the agent's schedule. */
export function tellOutside(
  queue: Pick<UploadQueue, "getAgentState">,
  err: (line: string) => void,
): void {
  const outside = outsideSchedule(queue.getAgentState().schedule);
  if (outside === null) return;
  err(`jarvis-agent: This is ${outside}: sent all the same, as you ask for it`);
}

/** The days of `Sat` or `Fri-Mon`, from Sunday, 0; all if none are named. */
function daysOf(range = "Sun-Sat"): number[] | undefined {
  const [first, last] = range.split("-").map(dayNamed);
  if (first === -1 || last === -1) return undefined;
  const count = last === undefined ? 1 : (last - first! + 7) % 7 + 1;
  return Array.from({ length: count }, (_, n) => (first! + n) % 7);
}

/** The minute of the day, up to 24:00; `NaN` if there is no such time. */
function minuteOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  const minute = hours! * 60 + minutes!;
  return minutes! < 60 && minute <= DAY_MINUTES ? minute : NaN;
}

function rateOf(text: string): number | undefined {
  if (text.toLowerCase() === "off") return Infinity;
  const rate = parseBytes(text);
  return rate >= MIN_BANDWIDTH ? rate : undefined;
}
