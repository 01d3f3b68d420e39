/** The files for other systems' schedulers, held against the program. */

import { DOMParser } from "@xmldom/xmldom";
import * as plist from "plist";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { optionsOf } from "../../sync/cli/command.ts";
import { parseCommandLine } from "../../sync/cli/command_line.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { parseEnvFile } from "../../sync/cli/service/env_file.ts";

const text = (name: string) =>
  Deno.readTextFileSync(projectPath(`docs/${name}`));

/** Parses a command line as the program does, and returns what is given for its settings file. */
function configIn([command, ...args]: string[]): string | undefined {
  const options = optionsOf(COMMANDS[command!]!);
  const { given, positionals } = parseCommandLine(
    args,
    options,
    () => undefined,
  );
  assertEquals(positionals, []);
  return given.text("config");
}

Deno.test("the settings that the page shows are read as they are meant", () => {
  const shown = text("other_systems.md").split("\n")
    .filter((line) => line.startsWith("    JARVIS_"))
    .map((line) => line.trim());
  const variables = parseEnvFile(shown.join("\n"));
  assertEquals(
    variables.get("JARVIS_SERVER_URL"),
    "https://captures.example.org",
  );
  assertEquals(
    variables.get("JARVIS_WATCH"),
    "C:\\Users\\NAME\\Captures;D:\\Scans",
  );
});

/** @throws {Error} if it is not well-formed. */
function parseXml(xml: string) {
  return new DOMParser({
    onError(_level, message) {
      throw new Error(message);
    },
  }).parseFromString(xml, "text/xml");
}

Deno.test("the file for launchd is a property list that keeps the agent running", () => {
  const xml = text("launchd/jarvis-agent.plist");
  parseXml(xml);
  const job = plist.parse(xml) as Record<string, unknown>;
  const [program, ...args] = job.ProgramArguments as string[];
  assertEquals(program, "/usr/local/bin/jarvis-agent");
  assertEquals(configIn(args), "/Users/NAME/.config/jarvis/agent.env");
  assertEquals([job.Label, job.RunAtLoad, job.KeepAlive], [
    "jarvis-agent",
    true,
    true,
  ]);
  // Written in decimal, the only way that a property list has.
  assertEquals(job.Umask, 0o077);
});

Deno.test("the file for the Task Scheduler starts the agent, and never ends it", () => {
  const xml = text("task_scheduler/jarvis-agent.xml");
  const task = parseXml(xml);
  const of = (name: string) => task.getElementsByTagName(name)[0]?.textContent;
  assertEquals(
    task.documentElement!.namespaceURI,
    "http://schemas.microsoft.com/windows/2004/02/mit/task",
  );
  assert(/\\jarvis-agent\.exe$/.test(of("Command")!));
  assertEquals(
    configIn(of("Arguments")!.split(" ")),
    "C:\\Users\\NAME\\jarvis\\agent.env",
  );
  assertEquals(
    [of("ExecutionTimeLimit"), of("RunLevel"), of("MultipleInstancesPolicy")],
    ["PT0S", "LeastPrivilege", "IgnoreNew"],
  );
  assertThrows(() => parseXml(xml.replace("</Actions>", "")));
});
