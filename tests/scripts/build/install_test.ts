import { assert, assertEquals, assertMatch } from "@std/assert";
import { projectPath } from "../../../scripts/task/bindings.ts";
import { sha256 } from "../../../scripts/build/sha256_sums.ts";
import { VERSION } from "../../../sync/host/version.ts";
import type { Ended } from "../../helpers/cli.ts";
import { buildExecutable } from "../../helpers/executable.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const SCRIPT = projectPath("scripts/build/install.sh");
const TARGET = Deno.build.target;
const ignore = Deno.build.os === "windows";

/** A program that says its version, and otherwise what it was asked. */
const PROGRAM = `#!/bin/sh
if [ "$1" = --version ]; then echo jarvis-agent 9.9.9; else echo "asked: $*"; fi
`;

type Content = string | Uint8Array<ArrayBuffer>;

/** A server with one release, and a user without anything. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly files = new Map<string, Content>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url }) => {
      const content = this.files.get(new URL(url).pathname.slice(1));
      return content === undefined
        ? new Response(null, { status: 404 })
        : new Response(content);
    },
  );

  /** Puts executables into the release, with their sums. */
  async release(executables: Record<string, Content>): Promise<void> {
    let sums = "";
    for (const [name, content] of Object.entries(executables)) {
      this.files.set(name, content);
      const bytes = typeof content === "string"
        ? new TextEncoder().encode(content)
        : content;
      sums += `${await sha256(bytes)}  ${name}\n`;
    }
    this.files.set("SHA256SUMS", sums);
  }

  get installed(): string {
    return this.dir.join("home/.local/bin/jarvis-agent");
  }

  /** Everything that lies where executables go. */
  get names(): string[] {
    const bin = this.dir.join("home/.local/bin");
    return [...Deno.readDirSync(bin)].map(({ name }) => name);
  }

  /** Runs the script with the release as its own. */
  async install(
    args: string[] = [],
    env: Record<string, string> = {},
  ): Promise<Ended> {
    const from = `http://127.0.0.1:${this.#server.addr.port}`;
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: [SCRIPT, "--from", from, ...args],
      clearEnv: true,
      env: {
        HOME: this.dir.join("home"),
        PATH: Deno.env.get("PATH")!,
        ...env,
      },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.dir[Symbol.asyncDispose]();
  }
}

const NAME = `jarvis-agent-9.9.9-${TARGET}`;

Deno.test({
  name: "install.sh puts the executable for this system in its place",
  ignore,
  async fn() {
    await using scene = new Scene();
    await scene.release({
      "jarvis-agent-9.9.9-pdp11-dec-unix": "another",
      [NAME]: PROGRAM,
    });
    const { code, stdout, stderr } = await scene.install();
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Installed jarvis-agent 9\.9\.9 as /m);
    assertMatch(stdout, /is not among the folders of PATH/);
    assertEquals(Deno.readTextFileSync(scene.installed), PROGRAM);
    assertEquals(Deno.statSync(scene.installed).mode! & 0o777, 0o755);
    assertEquals(scene.names, ["jarvis-agent"]);
  },
});

Deno.test({
  name:
    "install.sh keeps the old executable when the new one is not what its sum says",
  ignore,
  async fn() {
    await using scene = new Scene();
    await scene.release({ [NAME]: PROGRAM });
    await scene.install();
    scene.files.set(NAME, "#!/bin/sh\necho something else\n");
    const { code, stderr } = await scene.install();
    assertEquals(code, 1);
    assertMatch(stderr, /^install\.sh: Cannot use .* expected [0-9a-f]{64}\n$/);
    assertEquals(Deno.readTextFileSync(scene.installed), PROGRAM);
    assertEquals(scene.names, ["jarvis-agent"]);
  },
});

Deno.test({
  name:
    "install.sh keeps the old executable when the new one does not run here",
  ignore,
  async fn() {
    await using scene = new Scene();
    await scene.release({ [NAME]: PROGRAM });
    await scene.install();
    await scene.release({ [NAME]: "#!/nowhere\n" });
    const { code, stderr } = await scene.install();
    assertEquals(code, 1);
    assertMatch(stderr, /install\.sh: Cannot run it from /);
    assertEquals(Deno.readTextFileSync(scene.installed), PROGRAM);
  },
});

Deno.test({
  name: "install.sh says what a release lacks",
  ignore,
  async fn(t) {
    await using scene = new Scene();
    await t.step("everything", async () => {
      const { code, stderr } = await scene.install();
      assertEquals(code, 1);
      assertMatch(stderr, /Cannot download ".*SHA256SUMS": expected a release/);
    });
    await t.step("an executable for this system", async () => {
      await scene.release({ "jarvis-agent-9.9.9-pdp11-dec-unix": "another" });
      const { code, stderr } = await scene.install();
      assertEquals(code, 1);
      assertMatch(
        stderr,
        new RegExp(`Cannot find an executable for ${TARGET} in`),
      );
    });
    await t.step("the file that it names", async () => {
      await scene.release({ [NAME]: PROGRAM });
      scene.files.delete(NAME);
      const { code, stderr } = await scene.install();
      assertEquals(code, 1);
      assertMatch(stderr, /Cannot download ".*": expected a release there\n$/);
    });
    assertEquals(scene.names, []);
  },
});

Deno.test({
  name:
    "install.sh hands what follows -- to service install, whatever is in it",
  ignore,
  async fn() {
    await using scene = new Scene();
    await scene.release({ [NAME]: PROGRAM });
    const { code, stdout } = await scene.install(
      ["--", "--watch", "/srv/two words", "--verbose"],
    );
    assertEquals(code, 0);
    assertMatch(stdout, /^asked: service install --watch \/srv\/two words --/m);
  },
});

Deno.test({
  name: "install.sh brings a service up to date that is there already",
  ignore,
  async fn() {
    await using scene = new Scene();
    await scene.release({ [NAME]: PROGRAM });
    assert(!(await scene.install()).stdout.includes("asked:"));
    scene.dir.write(
      "home/.config/systemd/user/jarvis-agent.service",
      "[Service]\n",
    );
    assertMatch((await scene.install()).stdout, /^asked: service install$/m);
  },
});

Deno.test({
  name: "install.sh does with wget where there is no curl",
  ignore: ignore || !has("wget"),
  async fn() {
    await using scene = new Scene();
    await scene.release({ [NAME]: PROGRAM });
    const bin = scene.dir.join("bin");
    Deno.mkdirSync(bin);
    const needed = "cat cut chmod grep mkdir mktemp mv rm sha256sum uname wget";
    for (const name of needed.split(" ")) {
      Deno.symlinkSync(pathOf(name)!, `${bin}/${name}`);
    }
    const { code, stderr } = await scene.install([], { PATH: bin });
    assertEquals([code, stderr], [0, ""]);
  },
});

Deno.test({
  name: "install.sh refuses arguments that it does not know",
  ignore,
  async fn() {
    await using scene = new Scene();
    const { code, stderr } = await scene.install(["--server", "x"]);
    assertEquals(code, 1);
    assertMatch(stderr, /Unknown argument "--server": see --help/);
  },
});

const built = await buildExecutable();
Deno.test({
  name: "install.sh installs the real executable",
  ignore: ignore || !built.path,
  async fn() {
    await using scene = new Scene();
    await scene.release({
      [`jarvis-agent-${VERSION}-${TARGET}`]: Deno.readFileSync(built.path!),
    });
    const { code, stdout, stderr } = await scene.install();
    assertEquals(code, 0, stderr);
    assertMatch(
      stdout,
      new RegExp(`^Installed jarvis-agent ${VERSION} as `, "m"),
    );
  },
});

if (!has("shellcheck")) {
  console.error("Skipped, no look at install.sh: there is no shellcheck here");
}
Deno.test({
  name: "install.sh is without fault in shellcheck's eyes",
  ignore: ignore || !has("shellcheck"),
  async fn() {
    const { code, stdout } = await new Deno.Command("shellcheck", {
      args: [SCRIPT],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stdout));
  },
});

function has(program: string): boolean {
  return pathOf(program) !== undefined;
}

/** Where a program is. */
function pathOf(program: string): string | undefined {
  return Deno.env.get("PATH")?.split(":").map((dir) => `${dir}/${program}`)
    .find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
}
