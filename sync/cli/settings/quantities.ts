/**
 * Numbers of bytes and times as people write them.
 *
 * @module
 */

/** A number of bytes like `512`, `100K` or `1.5G`; `NaN` if it is none. */
export function parseBytes(text: string): number {
  const [, digits, unit] =
    /^(\d{1,15}(?:\.\d{1,9})?) ?([KMGT]?)i?B?$/i.exec(text) ?? [];
  const power = " KMGT".indexOf(unit?.toUpperCase() || " ");
  return Math.round(Number(digits) * 1024 ** power);
}

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A time like `5m` or `1h30m` in milliseconds; `NaN` if it is none.
 *
 * @param unit That of a bare number.
 */
export function parseDuration(text: string, unit: "s" | "d"): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * UNITS_MS[unit];
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return NaN;
  let sumMs = 0;
  for (const [, digits, unit] of text.matchAll(/([\d.]+)([a-z]+)/g)) {
    sumMs += Number(digits) * UNITS_MS[unit as keyof typeof UNITS_MS];
  }
  return sumMs;
}
