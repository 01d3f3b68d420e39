import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { OPTIONS } from "../../sync/cli/settings/options.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { TempDir } from "../helpers/temp_dir.ts";

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runInProcess(args);
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
  }).output();
  const text = new TextDecoder();
  assertEquals([success, text.decode(stderr)], [true, ""]);
  return text.decode(stdout);
}

Deno.test({
  name: "completions bash completes commands, options and words",
  ignore: !hasProgram("bash"),
  async fn() {
    await using dir = new TempDir();
    const script = dir.write("script", await printed("completions", "bash"));
    const complete = async (...words: string[]) => {
      const ask = `. "$0"; COMP_WORDS=(jarvis-agent "$@"); COMP_CWORD=$#
        _jarvis_agent; echo "\${COMPREPLY[*]}"`;
      const found = await output("bash", "-uc", ask, script, ...words);
      return found.trim().split(" ");
    };
    assertEquals(await complete("re"), ["retry", "remove", "resume"]);
    assertEquals(await complete("list", "--gr"), ["--group"]);
    assertEquals(await complete("list", "--group", ""), ["reason"]);
    assertEquals(await complete("service", "st"), ["status"]);
    assertEquals(await complete("run", "--proof", "i"), ["id"]);
    assertEquals(await complete("enqueue", "x"), [""]);
  },
});

for (
  const [shell, check] of [["zsh", "-n"], ["fish", "--no-execute"]] as const
) {
  Deno.test({
    name:
      `completions ${shell} names every command and option, in that shell's words`,
    async fn() {
      await using dir = new TempDir();
      const script = await printed("completions", shell);
      for (const [name, { options }] of Object.entries(COMMANDS)) {
        assertStringIncludes(script, name);
        for (const option of options) {
          const flag = shell === "zsh" ? `--${option}[` : `-l ${option} `;
          assertStringIncludes(script, flag);
        }
      }
      if (!hasProgram(shell)) return;
      await output(shell, check, dir.write("script", script));
    },
  });
}

Deno.test("completions knows which shells it knows", async () => {
  assertEquals((await runInProcess(["completions", "csh"])).code, 2);
});

Deno.test("man prints a page that names every command, option and variable, and that troff takes", async () => {
  const page = await printed("man");
  const plain = page.replaceAll("\\-", "-");
  for (const [name, { summary, options }] of Object.entries(COMMANDS)) {
    assertStringIncludes(plain, `.B ${name}`);
    assertStringIncludes(plain, summary);
    for (const option of options) {
      const { env = "" } = OPTIONS[option] as { env?: string };
      assertStringIncludes(plain, `--${option}`);
      assertStringIncludes(plain, env);
    }
  }
  if (!hasProgram("groff")) return;
  await using dir = new TempDir();
  const file = dir.write("page.1", page);
  const shown = await output(
    "groff",
    "-man",
    "-Tascii",
    "-ww",
    "-P-cbou",
    file,
  );
  assert(/jarvis-agent\s+-\s+delivers\s+every\s+capture/.test(shown), shown);
});

Deno.test("-v stands for --verbose where that is taken, and for nothing elsewhere", async () => {
  const env = { HOME: "/nowhere", JARVIS_DATA_DIR: "/nowhere" };
  const config = await runInProcess(["config", "-v", "--json"], env);
  const rows: { name: string; value: string }[] = JSON.parse(config.stdout);
  assertEquals(rows.find(({ name }) => name === "verbose")?.value, "true");
  assertEquals((await runInProcess(["list", "-v"], env)).code, 2);
});
