import fc from "fast-check";
import { oddText } from "./odd_text.ts";

const hex = (bytes: Uint8Array) =>
  `x'${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}'`;

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 30 }),
  oddText.map((text) => new TextEncoder().encode(text)),
);

/** Any value that SQLite can keep, as a literal; texts need not be UTF-8. */
export const sqlValue: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("NULL", "''", "x''", "0", "1", "-1", "9e999", "-9e999"),
  fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }).map(String),
  fc.maxSafeInteger().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true })
    .map((value) =>
      `${value}`.includes("e") || value % 1 ? `${value}` : `${value}.0`
    ),
  bytes.map(hex),
  bytes.map((some) => `CAST(${hex(some)} AS TEXT)`),
);
