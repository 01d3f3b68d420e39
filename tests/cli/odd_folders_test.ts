import { assertEquals } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";

Deno.test(
  "a folder that may be listed and not entered holds up no other, and status tells of it",
  { ignore: !HAS_PERMISSIONS },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url, { JARVIS_SETTLE: "0.1" });
    const watched = host.makeDir("watched");
    for (const name of ["a", "m", "z"]) host.write(`watched/${name}/${name}`);
    Deno.chmodSync(host.join("watched/m"), 0o400);
    host.through = AS_PLAIN_USER;
    const dry = await host.run("run", "--watch", watched, "--dry-run");
    assertEquals(dry.code, 0, dry.stderr);
    await using agent = await host.startAgent("--watch", watched);
    await eventually("the others", () => server.names.length === 2);
    assertEquals(server.names.toSorted(), ["a", "z"], agent.stderr);
    await eventually("it is told of", async () => {
      const [folder] = (await host.status()).folders;
      return folder?.firstUnreadable?.path === host.join("watched/m");
    });
    Deno.chmodSync(host.join("watched/m"), 0o700);
    await eventually("all", () => server.names.length === 3);
  },
);
