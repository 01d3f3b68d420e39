/** Sidecars that came too late to be sent with their captures. */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { exists } from "../../sync/host/files.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

for (const afterUpload of ["keep", "delete"]) {
  for (const reader of ["the same agent", "the next agent"]) {
    Deno.test(`a sidecar that is written anew while its capture waits is reported, and goes with no other version (${afterUpload}, ${reader})`, async () => {
      await using server = new CaptureServer();
      await using host = new Host(server.url);
      const watch = () => host.watch(`--after-upload=${afterUpload}`);
      const agents = [await watch()];
      await host.run("pause");
      host.write("in/a.png.json", '{"n": 1}');
      host.write("in/a.png", "one");
      await eventually("it waits", async () => {
        return (await host.status()).pending === 1;
      });
      host.write("in/a.png.json", '{"n": "late"}');
      await host.run("resume");
      await agents[0]!.said("came or changed when its capture had been taken");
      if (reader === "the next agent") {
        await agents[0]!.stop();
        agents.push(await watch());
      }
      host.write("in/a.png", "the next");
      await eventually("the next", () => server.uploads.length === 2);
      assert(exists(host.join("in/a.png.json")));
      // Within the settle time it would be the last version's.
      await delay(300);
      host.write("in/a.png.json", '{"n": 3}');
      host.write("in/a.png", "the third");
      await eventually("the third", () => server.uploads.length === 3);
      const sent = server.uploads.map(({ metadata }) => metadata.n);
      assertEquals(sent, [1, undefined, 3]);
      await agents.at(-1)!.stop();
      const said = agents.map(({ stderr }) => stderr).join("");
      assertEquals(said.split("came or changed").length, 2, said);
    });
  }
}
