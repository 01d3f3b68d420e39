import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer } from "../helpers/capture_server.ts";
import { exists } from "../../sync/host/files.ts";
import { Host } from "../helpers/host.ts";

/** Queues files and lets them fail, each for a reason. */
async function failing(
  host: Host,
  reasons: Record<string, string>,
): Promise<string[]> {
  const ids = await host.enqueue(
    ...Object.keys(reasons).map((name) => host.write(name)),
  );
  using queue = host.queue();
  queue.complete(
    Object.values(reasons).map((error, at) => (
      { id: ids[at]!, kind: "discard", error }
    )),
  );
  return ids;
}

Deno.test("retry --reason takes what failed for that reason, and nothing else", async () => {
  await using host = new Host();
  const reasons = { a: "HTTP 413: large", b: "HTTP 422: no", c: "http 413" };
  const [a, , c] = await failing(host, reasons);
  const { code, stdout } = await host.run("retry", "--reason", "HTTP 413");
  assertEquals([code, stdout], [0, `${a}\n${c}\n`]);
  using queue = host.queue();
  assertEquals(queue.getStats().failed, 1);
  assertEquals((await host.run("retry", a!, "--reason=x")).code, 2);
  const none = await host.run("retry", "--reason", "HTTP 599");
  assertEquals(none.code, 0);
  assertStringIncludes(none.stderr, "There is no such capture to retry");
});

Deno.test("remove asks on a terminal, and says what becomes of the bytes", async () => {
  await using host = new Host();
  const [kept, gone, taken] = await host.enqueue(
    ...["a", "b", "c"].map((name) => host.write(name)),
  );
  const answer = (text: string, ...args: string[]) =>
    host.inShell(
      `for arg; do all="$all '$arg'"; done
       echo ${text} | script -qec "$all" /dev/null`,
      ...args,
    );
  const no = await answer("n", "remove", kept!);
  assertStringIncludes(no.stdout, "Remove 1 capture, undelivered?");
  assertStringIncludes(no.stdout, "Nothing was removed");
  const yes = await answer("y", "remove", gone!);
  assertStringIncludes(
    yes.stdout,
    `the spool's copy goes, "${host.join("b")}" stays`,
  );
  using queue = host.queue();
  assertEquals([...queue.captures()].map(({ id }) => id), [kept!, taken!]);

  Deno.removeSync(host.join("c"));
  queue.markUploading(taken!);
  const told = await host.run("remove", "--yes", taken!);
  assertEquals([told.code, told.stdout], [0, `${taken}\n`]);
  assertStringIncludes(
    told.stderr,
    `"${host.join("c")}" is not there any more`,
  );
  assertStringIncludes(told.stderr, "it is being sent");
});

Deno.test("export copies captures with their metadata out, and replaces nothing", async () => {
  await using host = new Host();
  const paths = ["one/a.png", "two/a.png"].map((name) => host.write(name));
  const metadata = ["--metadata-json", '{"n": 12345678901234567890}'];
  const { stdout } = await host.run("enqueue", ...paths, ...metadata);
  const ids = stdout.trimEnd().split("\n");
  const dir = host.join("out");
  host.write("out/a.png.json", "mine");
  const { code, stdout: out } = await host.run("export", ...ids, dir);
  assertEquals([code, out], [0, `${dir}/a-2.png\n${dir}/a-3.png\n`]);
  const read = (name: string) => Deno.readTextFileSync(`${dir}/${name}`);
  assertEquals(
    ["a.png.json", "a-2.png", "a-3.png", "a-3.png.json"].map(read),
    ["mine", "one/a.png", "two/a.png", '{"n": 12345678901234567890}\n'],
  );
  assertEquals((await host.json<unknown[]>("list")).length, 2);
});

Deno.test("export copies captures with the longest names out", async () => {
  await using host = new Host();
  const names = [
    "y".repeat(251),
    `${"\u00e9".repeat(125)}.jpeg`,
    `a.${"x".repeat(253)}`,
  ];
  const paths = names.flatMap((name) => [`one/${name}`, `two/${name}`])
    .map((name) => host.write(name));
  const ids = await host.enqueue(...paths);
  const { code, stdout } = await host.run("export", ...ids, host.join("out"));
  assertEquals(code, 0);
  const exported = stdout.trimEnd().split("\n");
  assertEquals(new Set(exported).size, paths.length);
  assert(exported[3]!.endsWith("-2.jpeg"));
  for (const path of exported) {
    assertEquals(Deno.readTextFileSync(`${path}.json`), "{}\n");
  }
});

Deno.test("export --failed leaves out what waits, and refuses bytes that are not what was handed over", async () => {
  await using host = new Host();
  const [bad, good] = await failing(host, { bad: "no", good: "no" });
  await host.enqueue(host.write("waits"));
  const shard = `${host.dataDir}/spool/${bad!.slice(-2)}`;
  Deno.writeTextFileSync(`${shard}/${bad}`, "rotten");
  const dir = host.join("out");
  const { code, stdout, stderr } = await host.run("export", "--failed", dir);
  assertEquals([code, stdout], [1, `${dir}/good\n`]);
  assertStringIncludes(stderr, `Cannot export "${bad}"`);
  assertStringIncludes(stderr, "it was changed after it was handed over");
  assertEquals(
    [...Deno.readDirSync(dir)].map(({ name }) => name).sort(),
    ["good", "good.json"],
  );
  const none = await host.run("export", "nonsense", dir);
  assertEquals(none.code, 1);
  assertStringIncludes(
    none.stderr,
    'Cannot export "nonsense": no such capture',
  );
  const blocked = host.join("out/good");
  const nowhere = await host.run("export", "--failed", blocked);
  assertEquals(nowhere.code, 1);
  assertStringIncludes(nowhere.stderr, `Cannot export into "${blocked}": `);
  assertStringIncludes(nowhere.stderr, "expected a folder");
  assertEquals((await host.run("export", "--failed", good!, dir)).code, 2);
  assertEquals((await host.run("export", dir)).code, 2);
  assert(good);
});

Deno.test("export that copies nothing leaves no folder behind", async () => {
  await using host = new Host();
  const [bad] = await failing(host, { bad: "no" });
  Deno.writeTextFileSync(
    `${host.dataDir}/spool/${bad!.slice(-2)}/${bad}`,
    "rotten",
  );
  const dir = host.join("out/into/this");
  for (const which of ["nonsense", bad!, "--failed"]) {
    const { code, stdout } = await host.run("export", which, dir);
    assertEquals([code, stdout], [1, ""]);
    assert(!exists(host.join("out")), which);
  }
  assertEquals((await host.run("remove", "--yes", bad!)).code, 0);
  const { code, stderr } = await host.run("export", "--failed", dir);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "There is no failed capture to export");
  assert(!exists(host.join("out")));
  // What was there before stays.
  host.makeDir("mine");
  await host.run("export", "--failed", host.join("mine"));
  await host.run("export", "nonsense", host.join("mine"));
  assert(exists(host.join("mine")));
});

Deno.test("enqueue --priority and bump decide what is sent first", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(host.write("a"));
  const [b] = await host.enqueue(host.write("b"));
  const urgent = await host.run("enqueue", "--priority=7", host.write("c"));
  assertEquals(urgent.code, 0);
  const { code, stdout, stderr } = await host.run("bump", b!, "nonsense");
  assertEquals([code, stdout], [1, `${b}\n`]);
  assertStringIncludes(stderr, 'Cannot bump "nonsense": no such capture:');
  assertEquals((await host.run("sync", "--concurrency=1")).code, 0);
  assertEquals(server.names, ["b", "c", "a"]);
});
