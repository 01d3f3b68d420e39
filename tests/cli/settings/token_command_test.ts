import { assert, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../../sync/cli/arguments.ts";
import { runTokenCommand } from "../../../sync/cli/settings/token_command.ts";
import { IS_OLDEST_DENO } from "../../helpers/deno_version.ts";
import { eventually } from "../../helpers/eventually.ts";
import { Host } from "../../helpers/host.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const ignore = Deno.build.os === "windows";

async function assertFails(
  command: string,
  message: string,
  options?: { limitMs: number },
): Promise<void> {
  const run = () => runTokenCommand(command, options);
  const error = await assertRejects(run, UsageError);
  assertEquals(error.message, `Cannot use the --token-command: it ${message}`);
}

/** The processes that a command has written into a file, as far as they still run. */
function running(file: string): string[] {
  return Deno.readTextFileSync(file).split("\n").filter((pid) => {
    try {
      return pid !== "" &&
        !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
    } catch {
      return false;
    }
  });
}

Deno.test(
  "a token's command is run though the folder that the agent was started in is gone",
  {
    // It starts nothing then.
    ignore: ignore || IS_OLDEST_DENO,
  },
  async () => {
    await using dir = new TempDir();
    const before = Deno.cwd();
    const gone = dir.join("gone");
    Deno.mkdirSync(gone);
    Deno.chdir(gone);
    try {
      Deno.removeSync(gone);
      assertEquals(await runTokenCommand("echo secret"), "secret\n");
    } finally {
      Deno.chdir(before);
    }
  },
);

Deno.test("a token's command that fails is told by its exit code alone", {
  ignore,
}, async () => {
  const by = (code: number) => `exited with ${code}; run it by hand to see why`;
  await assertFails("echo hush; echo hush >&2; exit 3", by(3));
  await assertFails("set -x; : hush; false", by(1));
  await assertFails("kill -KILL $$", by(137));
  await assertFails("echo 'hush", by(2));
  await assertFails("kill -KILL 0", "was killed; run it by hand to see why");
  assertEquals(await runTokenCommand("echo a; echo b >&2; cat"), "a\n");
});

Deno.test("a token's command that prints without end is ended", {
  ignore,
}, async () => {
  const message = "printed more than 65536 bytes, expected the token alone";
  await assertFails("exec cat /dev/zero", message);
  await assertFails("head -c 65537 /dev/zero", message);
  assertEquals(
    (await runTokenCommand("head -c 65536 /dev/zero")).length,
    65536,
  );
});

Deno.test(
  "a token's command that does not end is killed, with all that it has started",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    await using dir = new TempDir();
    const pids = dir.join("pids");
    const stays = `echo $$ >> ${pids}; exec sleep 600`;
    const message = "did not end within 0.5 s; run it by hand to see why";
    const options = { limitMs: 500 };
    for (
      const command of [
        stays,
        `sh -c '${stays}'; true`,
        `sh -c '${stays}' & echo a`,
        `exec >&- 2>&-; ${stays}`,
        `trap '' TERM INT HUP; sh -c '${stays}'; true`,
      ]
    ) {
      await assertFails(command, message, options);
      await eventually("all is over", () => running(pids).length === 0);
    }
    // What lets go of the output may stay, like an agent that keeps keys.
    await runTokenCommand(`sh -c '${stays}' >/dev/null & echo a`);
    const kept = await eventually("it runs", () => running(pids)[0]);
    await runTokenCommand(`kill ${kept}`);
  },
);

Deno.test("a token's command ends with the program, however that ends", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using host = new Host("http://127.0.0.1:9");
  const pids = host.write("pids", "");
  const command = `echo $$ > ${pids}; exec sleep 600`;
  for (
    const [name, signal] of [["check", "SIGKILL"], ["run", "SIGTERM"]] as const
  ) {
    await using program = host.start(name, "--token-command", command);
    await eventually("it runs", () => running(pids).length === 1);
    program.kill(signal);
    const { stderr } = await program.ended();
    await eventually("it is over", () => running(pids).length === 0);
    // That takes 30 s.
    assert(!stderr.includes("did not end within"), stderr);
  }
});
