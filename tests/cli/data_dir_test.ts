import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { runCli } from "../helpers/cli.ts";
import { Host } from "../helpers/host.ts";

const onWindows = Deno.build.os === "windows";

/** The permissions of everything below a path, by name. */
function modes(path: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const child = `${path}/${name}`;
    const mode = Deno.statSync(child).mode! & 0o777;
    found.set(child, (isDirectory ? "d" : "-") + mode.toString(8));
    if (isDirectory) modes(child).forEach((mode, at) => found.set(at, mode));
  }
  return found;
}

Deno.test(
  "the data directory and all in it are for this user alone, whatever the umask",
  {
    ignore: onWindows,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    host.env.JARVIS_DATA_DIR = `${host.dataDir}/below/this`;
    server.answer = () => new Response(null, { status: 401 });
    const path = host.write("a.png");
    Deno.chmodSync(path, 0o600);
    const enqueue = await host.inShell('umask 000; exec "$@"', "enqueue", path);
    assertEquals(enqueue.code, 0, enqueue.stderr);
    const upload = await host.inShell('umask 000; exec "$@"', "upload", path);
    assertEquals(upload.code, 75, upload.stderr);
    const sync = await host.inShell('umask 000; exec "$@"', "sync");
    assertEquals(sync.code, 75, sync.stderr);
    const found = modes(host.dataDir);
    for (const [child, mode] of found) {
      assertEquals(mode, mode[0] === "d" ? "d700" : "-600", child);
    }
    assert(found.size > 6, [...found.keys()].join());
  },
);

Deno.test(
  "a data directory that is shared with others is refused, unless it is the queue's",
  {
    ignore: onWindows,
  },
  async () => {
    await using host = new Host();
    const shared = host.makeDir("shared");
    host.env.JARVIS_DATA_DIR = shared;
    const other = host.write("shared/other", "");
    Deno.chmodSync(shared, 0o777);
    const refused = await host.run("list");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "other users may read it; expected");
    assertEquals(Deno.statSync(shared).mode! & 0o777, 0o777);
    Deno.removeSync(other);
    assertEquals((await host.run("list")).code, 0);
    assertEquals(Deno.statSync(shared).mode! & 0o777, 0o700);
    Deno.chmodSync(shared, 0o755);
    assertEquals((await host.run("list")).code, 0);
    assertEquals(Deno.statSync(shared).mode! & 0o777, 0o700);
  },
);

Deno.test("a data directory that cannot be used is named, with the option that names another", async () => {
  await using host = new Host(deadUrl());
  const file = host.write("file", "");
  for (const command of ["enqueue", "upload", "run", "status", "doctor"]) {
    const args = ["enqueue", "upload"].includes(command) ? [file] : [];
    const { code, stdout, stderr } = await host.run(
      ...[command, ...args, "--data-dir", `${file}/data`],
    );
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(
      stderr,
      `Cannot use the data directory "${file}/data": `,
    );
    assertMatch(stderr, /\(--data-dir names it\)\n$/);
  }
});

Deno.test("the queue is where XDG says, and asked for where nothing says so", {
  ignore: onWindows,
}, async () => {
  await using host = new Host();
  const home = host.makeDir("home");
  const path = host.write("a.png");
  const database = (env: Record<string, string>) =>
    runCli(["status", "--json"], { env })
      .then(({ stdout }) => JSON.parse(stdout).database.path);
  assertEquals(
    await database({ HOME: home, XDG_DATA_HOME: "relative" }),
    `${home}/.local/share/jarvis/queue.db`,
  );
  assertEquals(
    await database({ HOME: "", XDG_DATA_HOME: `${home}/xdg` }),
    `${home}/xdg/jarvis/queue.db`,
  );
  const { code, stderr } = await runCli(["enqueue", path], {
    env: { HOME: "" },
  });
  assertEquals(code, 2);
  assertStringIncludes(stderr, "expected --data-dir DIR");
});
