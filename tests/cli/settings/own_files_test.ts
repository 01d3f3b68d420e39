import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../../helpers/capture_server.ts";
import { eventually } from "../../helpers/eventually.ts";
import { Host } from "../../helpers/host.ts";
import { runInProcess } from "../../helpers/in_process.ts";

for (const afterUpload of ["keep", "delete"]) {
  Deno.test({
    name:
      `the token, settings and keys are not sent, by whatever name or link a watched folder shows them (${afterUpload})`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
      const [shots, settings] = ["shots", "settings"].map((name) =>
        host.makeDir(name)
      );
      const own = ["token", "agent.env"].map((name) =>
        host.write(`settings/${name}`, "")
      );
      const later = host.join("later");
      Deno.writeTextFileSync(own[0]!, "first-token");
      Deno.chmodSync(own[0]!, 0o600);
      Deno.chmodSync(own[1]!, 0o600);
      Deno.writeTextFileSync(own[1]!, `JARVIS_TOKEN_FILE=${own[0]}\n`);
      await using agent = await host.startAgent(
        ...["--config", own[1]!, "--metrics-file", `${settings}/metrics.prom`],
        ...["--watch", shots!, "--watch", later],
        ...["--after-upload", afterUpload],
      );
      await agent.said("Watching");
      Deno.linkSync(own[0]!, `${shots}/link.png`);
      await agent.said("link.png\" is the agent's own");
      Deno.symlinkSync(settings!, later);
      host.write("settings/b.png");
      await eventually("the first", () => server.names.length === 1);
      // A rotated token is another file, and finished at once.
      host.write("settings/.new", "second-token");
      Deno.renameSync(host.join("settings/.new"), own[0]!);
      Deno.renameSync(host.write("shots/.new"), `${shots}/a.png`);
      host.write("settings/c.png");
      await eventually("the others", () => server.names.length >= 3);
      assertEquals(server.names.toSorted(), ["a.png", "b.png", "c.png"]);
      assertEquals(Deno.readTextFileSync(own[0]!), "second-token");
    },
  });
}

Deno.test({
  name:
    "the data directory is not looked through, by whatever link a watched folder becomes it",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const shots = host.makeDir("shots");
    const [whole, spool] = [host.join("whole"), host.join("spooled")];
    await using agent = await host.startAgent(
      ...["--watch", whole, "--watch", spool, "--watch", shots],
    );
    await agent.said("Watching");
    host.write("shots/a.png");
    await eventually("a capture", () => server.names.length >= 1);
    Deno.symlinkSync(host.dataDir, whole);
    Deno.symlinkSync(`${host.dataDir}/spool`, spool);
    await eventually("both are told of", async () => {
      const { folders } = await host.status();
      return folders.filter(({ unreadable }) => unreadable > 0).length === 2;
    });
    const { folders } = await host.status();
    for (const { path, firstUnreadable } of folders) {
      if (path === shots) continue;
      assertMatch(firstUnreadable!.reason, /it is the agent's own/);
    }
    // As a backup by hard links shows it: the lock, and the metadata of all captures.
    for (const name of ["agent.lock", "spool/records.jsonl"]) {
      const link = `${shots}/${name.replace("/", "-")}`;
      Deno.linkSync(`${host.dataDir}/${name}`, link);
      await agent.said(`"${link}" is the agent's own`);
    }
    host.write("shots/b.png");
    await eventually("captures", () => server.names.length >= 2);
    assertEquals(server.names, ["a.png", "b.png"], agent.stderr);
  },
});

for (
  const given of ["enqueue", "enqueue --move", "enqueue --no-copy", "upload"]
) {
  Deno.test({
    name:
      `${given} takes no file of the data directory, by whatever link, and takes those beside it`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url);
      const [id] = await host.enqueue(host.write("a.png"));
      const copy = `${host.dataDir}/spool/${id!.slice(-2)}/${id}`;
      // A spool may be elsewhere, on a larger disk.
      Deno.renameSync(`${host.dataDir}/spool`, host.join("elsewhere"));
      Deno.symlinkSync(host.join("elsewhere"), `${host.dataDir}/spool`);
      Deno.symlinkSync(host.dataDir, host.join("folder"));
      Deno.symlinkSync(copy, host.join("link.png"));
      Deno.linkSync(host.join("elsewhere/records.jsonl"), host.join("linked"));
      const kept = [
        host.join("linked"),
        copy,
        host.join(`elsewhere/${id!.slice(-2)}/${id}`),
        host.join("link.png"),
        host.join("folder/queue.db"),
        `${host.dataDir}/agent.lock`,
        `${host.dataDir}/spool/records.jsonl`,
      ];
      const others = [
        host.write("b.png"),
        // What was set aside is for a person to hand over again.
        host.write("elsewhere/orphans/c"),
      ];
      const [command, ...options] = given.split(" ");
      const { code, stdout, stderr } = await runInProcess(
        [command!, ...kept, ...others, "--json", ...options],
        host.env,
      );
      const refusals = stderr.split("\n").filter((line) =>
        line.startsWith("jarvis-agent: Cannot")
      );
      assertEquals(refusals.length, kept.length, stderr);
      for (const [n, path] of kept.entries()) {
        assertStringIncludes(
          refusals[n]!,
          `Cannot take "${path}": it is in the data directory "${host.dataDir}", expected`,
        );
      }
      assertEquals(code, 1);
      assertEquals(
        stdout.trimEnd().split("\n").map((line) => JSON.parse(line).filepath),
        others,
      );
      assertEquals(Deno.readTextFileSync(copy), "a.png");
    },
  });
}
