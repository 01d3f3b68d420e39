import { assert, assertEquals } from "@std/assert";
import { enqueueQuickly } from "../../sync/cli/commands/quick_enqueue.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { around } from "../helpers/in_process.ts";
import { Host } from "../helpers/host.ts";

/** Calls it as the program does, with the host's variables. */
async function quickly(host: Host, ...args: string[]) {
  const { said, surroundings } = around(host.env);
  return { code: await enqueueQuickly(args, surroundings), ...said };
}

function walBytes({ dataDir }: Host): number {
  try {
    return Deno.statSync(`${dataDir}/queue.db-wal`).size;
  } catch {
    return 0;
  }
}

Deno.test("enqueueQuickly() queues into a queue that is there", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const { code, stdout } = await quickly(
    host,
    host.write("door.png"),
    "--metadata=door=3",
  );
  assertEquals(code, 0);
  using queue = host.queue();
  assertEquals(queue.get(stdout.trim())?.metadataJson, `{"door":"3"}`);
});

Deno.test("enqueueQuickly() says what is wrong with one file, and queues the others", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const missing = host.join("missing");
  const { code, stdout, stderr } = await quickly(
    host,
    missing,
    host.write("a"),
  );
  assertEquals(
    [code, stdout.trim().split("\n").length, stderr],
    [1, 1, `jarvis-agent: Cannot read "${missing}": no such file\n`],
  );
});

Deno.test("enqueueQuickly() leaves to the whole program what is more to do or to say", async () => {
  await using host = new Host();
  const file = host.write("a");
  const leaves = async (what: string, ...args: string[]) => {
    const { code, stdout, stderr } = await quickly(host, ...args);
    assertEquals([code, stdout, stderr], [undefined, "", ""], what);
  };
  await leaves("no data directory", file);
  assertEquals([...Deno.readDirSync(host.join("."))].length, 1);
  await host.enqueue(file);
  await leaves("help", "--help");
  await leaves("no file");
  await leaves("an option that it does not have", file, "--nonsense");
  await leaves("metadata that cannot be used", file, "--metadata-json=[]");
  if (Deno.build.os !== "windows") {
    Deno.chmodSync(host.dataDir, 0o755);
    await leaves("a directory that is open to others", file);
    Deno.chmodSync(host.dataDir, 0o700);
  }
  Deno.writeTextFileSync(`${host.dataDir}/queue.db`, "no database ".repeat(99));
  await leaves("a damaged queue", file);
});

Deno.test("enqueue leaves a short -wal, and what is in it is there for everybody", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const id = await host.enqueue(host.write("second"));
  assert(walBytes(host) > 0, "it is left");
  const third = await host.enqueue(host.write("third"));
  const listed = await host.json<{ id: string }[]>("list");
  assertEquals(listed.map(({ id }) => id).slice(1), [...id, ...third]);
  assertEquals(walBytes(host), 0);
});

Deno.test("enqueue brings a -wal in before it is long", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const paths = Array.from({ length: 40 }, (_, n) => host.write(`${n}`));
  await host.enqueue(...paths);
  assertEquals(walBytes(host), 0);
  using queue = host.queue();
  assertEquals(queue.getStats().pending, 41);
});

Deno.test("programs that enqueue at once lose nothing, whoever leaves the -wal", async () => {
  await using host = new Host();
  const owed = await host.enqueue(host.write("first"));
  for (let round = 0; round < 3; round++) {
    const makers = Array.from({ length: 8 }, (_, n) => {
      const paths = [1, 2, 3].map((m) => host.write(`${round}-${n}-${m}`));
      return host.enqueue(...paths);
    });
    owed.push(...(await Promise.all(makers)).flat());
  }
  const listed = await host.json<{ id: string }[]>("list", "--limit=100");
  assertEquals(new Set(listed.map(({ id }) => id)), new Set(owed));
});

Deno.test("UploadQueue.leave() leaves the queue to other programs", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const path = `${host.dataDir}/queue.db`;
  const left = new UploadQueue(path);
  const id = left.enqueue("/captures/door.png");
  left.leave();
  const listed = await host.json<{ id: string }[]>("list");
  assertEquals(listed.at(-1)?.id, id);
  left.close();
});
