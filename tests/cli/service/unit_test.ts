import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UsageError } from "../../../sync/cli/arguments.ts";
import {
  dataDirIn,
  isAsWritten,
  type UnitOptions,
  unitText,
  writableFolders,
} from "../../../sync/cli/service/unit.ts";
import { hasProgram } from "../../helpers/has_program.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/** As low as it goes for a user's unit. */
const MAX_EXPOSURE = 1.7;

const OPTIONS: UnitOptions = {
  program: "/home/u/.local/bin/jarvis-agent",
  envFile: "/home/u/.config/jarvis/agent.env",
  dataDir: "/home/u/.local/share/jarvis",
  writable: ["/home/u/.local/share/jarvis"],
  graceMs: 10_000,
  concurrency: 4,
  systemdVersion: 252,
  namespaces: true,
};

Deno.test("unitText() keeps paths whole, whatever is in them", () => {
  const text = unitText({
    ...OPTIONS,
    program: "/home/a b/$HOME/100%/agent",
    envFile: "/home/a b/100%/agent.env",
    writable: ["/home/a b/100%", `/srv/"q"`],
  });
  for (
    const line of [
      `ExecStart="/home/a b/$HOME/100%%/agent" run`,
      "EnvironmentFile=/home/a b/100%%/agent.env",
      `Environment="JARVIS_ENV_FILE=/home/a b/100%%/agent.env"`,
      String.raw`ReadWritePaths="-/home/a b/100%%" "-/srv/\"q\""`,
    ]
  ) assertStringIncludes(text, `${line}\n`);
});

Deno.test("dataDirIn() reads the data directory that unitText() was given", () => {
  for (const dataDir of ["/home/u/data", String.raw`/srv/a "b" \ 100%%$HOME`]) {
    assertEquals(dataDirIn(unitText({ ...OPTIONS, dataDir })), dataDir);
  }
  assertEquals(dataDirIn("[Service]\nType=notify\n"), undefined);
});

Deno.test("unitText() refuses a path that systemd would read as something else", () => {
  const odd: Partial<UnitOptions>[] = [
    { program: "/home/a/\nExecStartPre=/bin/false/agent" },
    { program: "/home/a'b/agent" },
    { envFile: "/home/[a]/agent.env" },
    { envFile: "/home/a\n/agent.env" },
    { writable: ["/home/a", "/home/\x1b"] },
    { dataDir: "/home/a\n/data" },
  ];
  for (const one of odd) {
    const refused = () => unitText({ ...OPTIONS, ...one });
    assertThrows(refused, UsageError, "expected a path without");
  }
});

Deno.test("unitText() lets delays between restarts grow where systemd can", () => {
  const growing = "RestartMaxDelaySec=";
  assert(!unitText(OPTIONS).includes(growing));
  assertStringIncludes(
    unitText({ ...OPTIONS, systemdVersion: 254 }),
    growing,
  );
});

Deno.test("unitText() stops what fails again and again, after some minutes", () => {
  // Of the delays of this version, and of growing ones.
  for (const [systemdVersion, starts] of [[252, 100], [254, 10]] as const) {
    const text = unitText({ ...OPTIONS, systemdVersion });
    assertStringIncludes(text, "\nStartLimitIntervalSec=20min\n");
    assertStringIncludes(text, `\nStartLimitBurst=${starts}\n`);
    assertStringIncludes(text, "\nRestartPreventExitStatus=2\n");
  }
});

Deno.test("systemd finds little exposure in the unit", {
  ignore: !canAnalyzeFiles(),
}, async () => {
  await using dir = new TempDir();
  const file = dir.write("jarvis-agent.service", unitText(OPTIONS));
  const { stdout } = await new Deno.Command("systemd-analyze", {
    args: ["--no-pager", "security", "--offline=true", file],
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [, exposure] = /Overall exposure level .*: ([\d.]+)/.exec(text) ?? [];
  assert(Number(exposure) <= MAX_EXPOSURE, text);
});

Deno.test("unitText() lets uploads under way end before systemd kills", () => {
  const text = unitText({ ...OPTIONS, graceMs: 90_500 });
  assertStringIncludes(text, "\nTimeoutStopSec=111s\n");
});

Deno.test("unitText() asks for nothing that takes namespaces where there are none", () => {
  const text = unitText({ ...OPTIONS, namespaces: false });
  for (const setting of ["PrivateUsers", "ProtectSystem", "Capability"]) {
    assert(!text.includes(setting), setting);
  }
  assertStringIncludes(text, "\nSystemCallFilter=@system-service\n");
});

Deno.test("isAsWritten() tells a unit that somebody changed", () => {
  const text = unitText(OPTIONS);
  assert(isAsWritten(text));
  assert(!isAsWritten(text.replace("RestartSec=5s", "RestartSec=3s")));
  assert(!isAsWritten(text.replace(/ \(sum \w+\)/, "")));
  assert(!isAsWritten("[Service]\nExecStart=/bin/true\n"));
});

Deno.test("writableFolders() names only the agent's own where no capture is taken away", () => {
  const own = ["/home/u/q", "/home/u/metrics"];
  assertEquals(writableFolders({ home: "/home/u", own, emptied: [] }), own);
});

Deno.test("writableFolders() names the home where captures are taken away in it: they may be made anew", () => {
  const home = "/home/u";
  assertEquals(
    writableFolders({
      home,
      own: ["/home/u/.local/share/jarvis", "/var/lib/metrics"],
      emptied: ["/home/u/captures", "/srv/in", "/home/user2"],
    }),
    ["/var/lib/metrics", "/home/u", "/srv/in", "/home/user2"],
  );
  assertEquals(
    writableFolders({ home, own: ["/home/u/q"], emptied: ["/srv/in"] }),
    ["/home/u/q", "/srv/in"],
  );
});

/** Whether systemd can judge a unit that is not installed: from version 250. */
function canAnalyzeFiles(): boolean {
  if (!hasProgram("systemd-analyze")) return false;
  const { stdout } = new Deno.Command("systemd-analyze", { args: ["--help"] })
    .outputSync();
  return new TextDecoder().decode(stdout).includes("--offline");
}
