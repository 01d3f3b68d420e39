import { assertEquals, assertMatch } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

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
    host.write("shots/a.png");
    await eventually("a capture", () => server.names.length >= 1);
    assertEquals(server.names, ["a.png"], agent.stderr);
  },
});
