/** Files of watched folders that were handed over with `--no-copy` as well. */
import { assertEquals } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

for (const after of ["delete", "move"]) {
  for (const via of ["the folder", "a link"]) {
    Deno.test({
      name:
        `--after-upload ${after} leaves a watched file to the capture that was handed over without a copy until that is delivered (${via})`,
      ignore: via === "a link" && Deno.build.os === "windows",
      fn: async () => {
        await using server = new CaptureServer();
        await using host = new Host(server.url);
        let isUsable = false;
        server.answer = (upload) =>
          upload.metadata.who === "me" && !isUsable
            ? new Response("later", { status: 503 })
            : created(upload);
        let dir = host.makeDir("in");
        if (via === "a link") {
          Deno.symlinkSync(dir, host.join("link"));
          dir = host.join("link");
        }
        const policy = after === "move" ? `move:${host.join("done")}` : after;
        const args = ["--watch", dir, "--settle=0.1"];
        await using agent = await host.startAgent(
          ...args,
          `--after-upload=${policy}`,
        );
        await host.run("pause");
        const path = host.write("in/doc.bin", "bytes");
        const [id] = await host.enqueue(
          "--no-copy",
          path,
          "--metadata=who=me",
        );
        await eventually("both wait", async () => {
          return (await host.status()).pending === 2;
        });
        await host.run("resume");
        await agent.said(`yet, which is delivered: the capture "${id}"`);
        assertEquals(Deno.readTextFileSync(path), "bytes");
        isUsable = true;
        await host.run("sync");
        await eventually("it goes", () => !isThere(path));
        const delivered = server.uploads.map(({ metadata }) => metadata.who);
        assertEquals(delivered.at(-1), "me");
        assertEquals((await host.status()).failed, 0);
        if (after === "move") {
          const moved = host.join("done", "doc.bin");
          assertEquals(Deno.readTextFileSync(moved), "bytes");
        }
      },
    });
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}
