/** Watched files with several names, and what becomes of all of them. */
import { assertEquals } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

for (const afterUpload of ["delete", "move"]) {
  Deno.test({
    name:
      `all names of a delivered file go, each with the sidecar that was sent with it (${afterUpload})`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using server = new CaptureServer();
      await using host = new Host(server.url, { JARVIS_SETTLE: "0.5" });
      const dir = host.makeDir("in");
      const done = host.makeDir("done");
      const names = (path: string) =>
        [...Deno.readDirSync(path)].map(({ name }) => name).sort();
      const policy = afterUpload === "move" ? `move:${done}` : afterUpload;
      await using agent = await host.startAgent(
        ...["--watch", dir, "--after-upload", policy],
      );
      await agent.said("Watching");
      // Without sidecars, with one of its own for each, and with one for some.
      host.write("in/plain1.png", "plain");
      Deno.linkSync(`${dir}/plain1.png`, `${dir}/plain2.png`);
      for (const [file, doors] of [["all", [1, 2, 3]], ["some", [0, 4]]]) {
        host.write("in/.new", `bytes of ${file}`);
        for (const [n, door] of (doors as number[]).entries()) {
          const name = `${dir}/${file}${n}.png`;
          if (door) host.write(`in/${file}${n}.png.json`, `{"door": ${door}}`);
          Deno.linkSync(`${dir}/.new`, name);
        }
        Deno.removeSync(`${dir}/.new`);
      }
      await eventually(
        "all are gone",
        () => names(dir).length === 0,
      ).catch((error) => {
        throw new Error(`${names(dir)}\n${agent.stderr}`, { cause: error });
      });
      const sent = server.uploads.map(({ filename, metadata: { door } }) =>
        `${filename} ${door ?? ""}`
      ).sort();
      assertEquals(sent.slice(0, 3), [
        "all0.png 1",
        "all1.png 2",
        "all2.png 3",
      ]);
      // What had a sidecar went by its name, in any case.
      assertEquals(sent.includes("some1.png 4"), true, `${sent}`);
      // The next of a name has nothing of the last one's.
      host.write("in/all0.png", "another");
      await eventually("it arrives", () => {
        const last = server.uploads.at(-1)!;
        return last.filename === "all0.png" && !("door" in last.metadata);
      });
    },
  });
}
