import { assertEquals, assertStringIncludes } from "@std/assert";
import { clockText, outsideText } from "../../../sync/host/week_table.ts";
import {
  expectedBandwidth,
  parseBandwidth,
  parseSchedule,
} from "../../../sync/cli/settings/timetable.ts";

/** Calls `act` where the clocks on the walls show the time of this zone. */
function inZone(zone: string, act: () => void): void {
  const before = Deno.env.get("TZ");
  Deno.env.set("TZ", zone);
  try {
    act();
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
}

/** Noon or another time of a day of the week that began on Sunday, 2026-03-01. */
const at = (day: number, time = "12:00") =>
  new Date(`2026-03-0${day + 1}T${time}:00`).getTime();
const [SUN, MON, TUE, , , FRI, SAT] = [0, 1, 2, 3, 4, 5, 6] as const;

const isOpen = (text: string, ...when: [day: number, time?: string][]) =>
  when.map((moment) => Number(parseSchedule(text)!.at(at(...moment)))).join("");
const rates = (text: string, ...when: [day: number, time?: string][]) =>
  when.map((moment) => parseBandwidth(text)!.at(at(...moment)));

Deno.test("a schedule has windows of every day, over midnight too", () => {
  assertEquals(
    isOpen("22:00-06:00", [SUN, "21:59"], [SUN, "22:00"], [MON, "05:59"], [
      MON,
      "06:00",
    ], [SUN, "00:00"]),
    "01101",
  );
  assertEquals(
    isOpen(
      "6:30-7:00, 12:00-24:00",
      [MON, "06:29"],
      [MON, "06:30"],
      [
        MON,
        "11:59",
      ],
      [MON],
      [MON, "23:59"],
      [TUE, "00:00"],
    ),
    "010110",
  );
});

Deno.test("a schedule has days, alone or with times that belong to the day they begin on", () => {
  const text = "Mon-Fri 18:00-08:00,Sat,sun";
  assertEquals(
    isOpen(text, [MON, "07:59"], [MON, "17:59"], [MON, "18:00"], [
      TUE,
      "07:59",
    ], [TUE, "08:00"]),
    "00110",
  );
  assertEquals(
    isOpen(text, [FRI, "23:00"], [SAT, "00:00"], [SUN, "23:59"], [
      MON,
      "00:00",
    ]),
    "1110",
  );
  // From Friday until Monday, over the end of the week.
  assertEquals(isOpen("Fri-Mon", [FRI], [SAT], [SUN], [MON], [TUE]), "11110");
});

Deno.test("a bandwidth is one number, or has points of every day or of some", () => {
  assertEquals(rates("2M", [SUN], [MON, "03:00"]), [2 * 2 ** 20, 2 * 2 ** 20]);
  assertEquals(rates("off", [SUN]), [Infinity]);
  assertEquals(
    rates(
      "08:00,512K 18:00,10M 23:00,off",
      [MON, "07:59"],
      [MON, "08:00"],
      [
        MON,
        "22:59",
      ],
      [SUN, "23:00"],
      [SUN, "00:00"],
    ),
    [Infinity, 524_288, 10_485_760, Infinity, Infinity],
  );
  const week = "Mon-00:00,1K Fri-23:59,10M Sat-10:00,1M Sun-20:00,OFF";
  assertEquals(
    rates(week, [SUN, "19:59"], [SUN, "20:00"], [MON], [FRI, "23:58"], [
      FRI,
      "23:59",
    ], [SAT]),
    [1_048_576, Infinity, 1024, 1024, 10_485_760, 1_048_576],
  );
});

Deno.test("a bandwidth has one rate for each time, and points of some days before those of every day", () => {
  for (
    const [text, time] of [
      ["08:00,512K 08:00,10M", "08:00"],
      ["Mon-Fri-8:00,1M 12:00,2M Wed-08:00,off", "Wed-08:00"],
    ] as const
  ) {
    assertEquals(parseBandwidth(text), undefined, text);
    assertStringIncludes(expectedBandwidth(text), `${time} has two`);
  }
  assertEquals(rates("08:00,1M 08:00,1024K", [MON]), [1_048_576]);
  for (const text of ["08:00,1M Sat-08:00,off", "Sat-08:00,off 08:00,1M"]) {
    assertEquals(rates(text, [FRI], [SAT], [SUN]), [
      1_048_576,
      Infinity,
      1_048_576,
    ]);
  }
});

Deno.test("what is no schedule, or no bandwidth, is none", () => {
  for (
    const text of [
      ..."|,|22:00|22:00-|22:00-22:00|25:00-06:00|22:00-24:01|22:60-23:00"
        .split("|"),
      ...["24:00-06:00", "Foo", "Mon-", "Mon-Foo 10:00-12:00", "10:00-12:00,"],
      ...["10:00-12:00 Mon", "10-12", "Mon 10:00", "always"],
    ]
  ) assertEquals(parseSchedule(text), undefined, text);
  for (
    const text of [
      ...["", "fast", "0", "1023", "08:00", "08:00,fast", "08:00,0"],
      ...["24:00,1M", "Foo-08:00,1M", "08:00,1M,", "08:00,1M 18:00", "1M 2M"],
    ]
  ) assertEquals(parseBandwidth(text), undefined, text);
});

Deno.test("a timetable says since when and until when it is so", () => {
  const schedule = parseSchedule("Mon-Fri 18:00-08:00,Sat,Sun")!;
  assertEquals(schedule.until(at(TUE)), at(TUE, "18:00"));
  assertEquals(schedule.since(at(TUE)), at(TUE, "08:00"));
  assertEquals(schedule.until(at(FRI, "20:30")), at(MON, "00:00") + 7 * DAY_MS);
  assertEquals(schedule.since(at(SAT)), at(FRI, "18:00"));
  const always = parseSchedule("00:00-24:00")!;
  assertEquals([always.since(at(MON)), always.until(at(MON))], [null, null]);
  assertEquals(parseBandwidth("1M")!.until(at(MON)), null);
  assertEquals(clockText(at(TUE, "18:05"), at(TUE)), "18:05");
  assertEquals(clockText(at(FRI, "06:00"), at(TUE)), "Fri 06:00");
  assertEquals(
    outsideText(at(TUE, "22:00"), at(TUE)),
    "outside the schedule until 22:00",
  );
});

const DAY_MS = 86_400_000;

Deno.test("a timetable goes by the clock on the wall when that is put forward and back", () => {
  inZone("Europe/Berlin", () => {
    const utc = (text: string) => Date.parse(`${text}:00Z`);
    const open = (text: string, from: string, hours: number) =>
      Array.from(
        { length: hours * 2 },
        (_, n) => Number(parseSchedule(text)!.at(utc(from) + n * 1_800_000)),
      ).join("");
    // 02:00 is 03:00 on this night: 01:00, 01:30, 03:00, 03:30, 04:00, 04:30.
    assertEquals(open("02:30-04:00", "2026-03-29T00:00", 3), "001100");
    const schedule = parseSchedule("02:30-04:00")!;
    const opens = utc("2026-03-29T01:00");
    assertEquals(schedule.until(utc("2026-03-29T00:00")), opens);
    assertEquals(schedule.since(opens + 60_000), opens);
    // 03:00 is 02:00 again: 02:00, 02:30, 02:00, 02:30, 03:00, 03:30.
    assertEquals(open("22:00-03:00", "2026-10-25T00:00", 3), "111100");
    assertEquals(open("03:00-04:00", "2026-10-25T00:00", 3), "000011");
  });
  inZone("Asia/Kolkata", () =>
    assertEquals(
      parseSchedule("22:00-06:00")!.until(Date.UTC(2026, 2, 1, 12)),
      Date.UTC(2026, 2, 1, 16, 30),
    ));
});
