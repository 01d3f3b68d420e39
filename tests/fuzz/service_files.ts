import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  parseEnvFile,
  updateEnvFile,
} from "../../sync/cli/service/env_file.ts";
import { dataDirIn, unitText } from "../../sync/cli/service/unit.ts";
import { oddText, wellFormedText } from "./odd_text.ts";
import {
  readLikeSystemd,
  withoutSpecifiers,
  wordsOf,
} from "./systemd_syntax.ts";
import { target } from "./target.ts";

const name = fc.constantFrom("JARVIS_WATCH", "JARVIS_TIMEOUT", "_a1");
const changes = fc.dictionary(name, wellFormedText, { minKeys: 1 })
  .map((entries) => new Map(Object.entries(entries)));

/** A file as a person may have written it. */
const written = fc.array(
  fc.oneof(
    wellFormedText,
    fc.tuple(name, fc.constantFrom("=", " = ", "= ", "="), wellFormedText)
      .map((parts) => parts.join("")),
    fc.tuple(
      name,
      fc.constantFrom('"', "'", ""),
      fc.string({ unit: fc.constantFrom(..."\"'\\ab`$#; \t=") }),
    ).map(([name, quote, text]) => `${name}=${quote}${text}${quote}`),
  ),
  { maxLength: 4 },
).map((lines) => lines.join("\n"));

const envFiles = target(
  "environment files",
  {
    share: 400,
    examples: [
      { text: "A=1\r\n", changes: new Map() },
      { text: 'A=one" two"', changes: new Map() },
      { text: "\ufeffA=1", changes: new Map() },
      { text: "", changes: new Map([["A", "\x1b"]]) },
    ],
  },
  () =>
    fc.property(
      fc.record({ text: fc.oneof(written, oddText), changes }),
      ({ text, changes }) => {
        const before = parseEnvFile(text);
        const systemds = readLikeSystemd(text);
        if (systemds) assertEquals([...before], [...systemds]);
        let after: string;
        try {
          after = updateEnvFile(text, changes);
        } catch (error) {
          assert(error instanceof TypeError, String(error));
          assert(/^Cannot keep .*: expected/s.test(error.message));
          return;
        }
        const expected = new Map([...before, ...changes]);
        const read = parseEnvFile(after);
        assertEquals([...read].sort(), [...expected].sort());
        assertEquals(readLikeSystemd(updateEnvFile("", changes)), changes);
      },
    ),
);

const path = wellFormedText.map((text) => `/home/${text.replaceAll("\0", "")}`);

const PLAIN = {
  program: "/a",
  envFile: "/b/agent.env",
  dataDir: "/c",
  writable: ["/c"],
};

const unit = target(
  "systemd units",
  {
    share: 150,
    examples: [
      { ...PLAIN, program: "/a\nUser=b" },
      { ...PLAIN, envFile: "/[b]/agent.env", writable: ["/c\n"] },
    ],
  },
  () =>
    fc.property(
      fc.record({
        program: path,
        envFile: path.map((dir) => `${dir}/agent.env`),
        dataDir: path,
        writable: fc.array(path, { minLength: 1, maxLength: 3 }),
      }),
      (paths) => {
        const rest = {
          graceMs: 0,
          concurrency: 1,
          systemdVersion: 252,
          namespaces: true,
        };
        let text: string;
        try {
          text = unitText({ ...paths, ...rest });
        } catch (error) {
          assert(
            /^Cannot .*: expected/s.test(String((error as Error).message)),
          );
          return;
        }
        const { program, envFile, writable } = paths;
        const lines = text.split(/[\r\n]/);
        const valuesOf = (key: string) =>
          lines.filter((line) => line.startsWith(`${key}=`))
            .map((line) => line.slice(key.length + 1));
        const [start] = valuesOf("ExecStart");
        assertEquals(valuesOf("ExecStart").length, 1);
        assertEquals(wordsOf(start!), [program, "run"]);
        const [environment] = valuesOf("Environment");
        assertEquals(wordsOf(environment!), [`JARVIS_ENV_FILE=${envFile}`]);
        const [file] = valuesOf("EnvironmentFile");
        assertEquals(withoutSpecifiers(file!), envFile);
        assert(!/[*?[\]{}\\]/.test(envFile), "a pattern");
        assertEquals(
          wordsOf(valuesOf("ReadWritePaths")[0]!),
          writable.map((path) => `-${path}`),
        );
        assertEquals(dataDirIn(text), paths.dataDir);
        const plain = unitText({ ...PLAIN, ...rest });
        assertEquals(lines.length, plain.split("\n").length);
      },
    ),
);

export const SERVICE_FILES = [envFiles, unit];
