import { assert, assertEquals, assertMatch } from "@std/assert";
import { projectPath } from "../../../scripts/task/bindings.ts";
import { VERSION } from "../../../sync/host/version.ts";
import { newAuthority } from "../../helpers/certificates.ts";
import { type Ended, endOf } from "../../helpers/cli.ts";
import { buildExecutable } from "../../helpers/executable.ts";
import { sha256Of } from "../../../sync/host/sha256.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

const SCRIPT = projectPath("scripts/build/install.sh");
const TARGET = Deno.build.target;
const ignore = Deno.build.os === "windows" || !has("curl");

/** A program that says its version, and otherwise what it was asked. */
const PROGRAM = `#!/bin/sh
if [ "$1" = --version ]; then echo jarvis-agent 9.9.9; else echo "asked: $*"; fi
`;

type Content = string | Uint8Array<ArrayBuffer>;

const authority = await newAuthority();
const certificate = await authority.sign();

/** A server with one release, over https and over plain http, and a user without anything. */
class Scene implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly files = new Map<string, Content>();
  /** Where what is asked for over https is to be had instead. */
  redirect: string | undefined;
  readonly #plain = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url }) => this.#answer(url),
  );
  readonly #secure = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...certificate },
    ({ url }) =>
      this.redirect === undefined
        ? this.#answer(url)
        : Response.redirect(this.redirect + new URL(url).pathname),
  );

  #answer(url: string): Response {
    const content = this.files.get(new URL(url).pathname.slice(1));
    return content === undefined
      ? new Response(null, { status: 404 })
      : new Response(content);
  }

  /** The release's address without encryption. */
  get plainAddress(): string {
    return `http://127.0.0.1:${this.#plain.addr.port}`;
  }

  /** Puts executables into the release, with their sums. */
  release(executables: Record<string, Content>): void {
    let sums = "";
    for (const [name, content] of Object.entries(executables)) {
      this.files.set(name, content);
      const bytes = typeof content === "string"
        ? new TextEncoder().encode(content)
        : content;
      sums += `${sha256Of(bytes)}  ${name}\n`;
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

  /** What is run to install. */
  script = SCRIPT;

  /** Runs the script with the release as its own. */
  async install(
    args: string[] = [],
    env: Record<string, string> = {},
  ): Promise<Ended> {
    const from = `https://127.0.0.1:${this.#secure.addr.port}`;
    this.dir.write("authority.pem", authority.cert);
    return await endOf(
      new Deno.Command("/bin/sh", {
        args: [this.script, "--from", from, ...args],
        clearEnv: true,
        env: {
          HOME: this.dir.join("home"),
          CURL_CA_BUNDLE: this.dir.join("authority.pem"),
          PATH: Deno.env.get("PATH")!,
          ...env,
        },
        stdin: "null",
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#plain.shutdown(), this.#secure.shutdown()]);
    await this.dir[Symbol.asyncDispose]();
  }
}

const NAME = `jarvis-agent-9.9.9-${TARGET}`;

Deno.test({
  name: "install.sh puts the executable for this system in its place",
  ignore,
  async fn() {
    await using scene = new Scene();
    scene.release({
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
    scene.release({ [NAME]: PROGRAM });
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
    scene.release({ [NAME]: PROGRAM });
    await scene.install();
    scene.release({ [NAME]: "#!/nowhere\n" });
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
      scene.release({ "jarvis-agent-9.9.9-pdp11-dec-unix": "another" });
      const { code, stderr } = await scene.install();
      assertEquals(code, 1);
      assertMatch(
        stderr,
        new RegExp(`Cannot find an executable for ${TARGET} in`),
      );
    });
    await t.step("the file that it names", async () => {
      scene.release({ [NAME]: PROGRAM });
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
    scene.release({ [NAME]: PROGRAM });
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
    scene.release({ [NAME]: PROGRAM });
    assert(!(await scene.install()).stdout.includes("asked:"));
    scene.dir.write(
      "home/.config/systemd/user/jarvis-agent.service",
      "[Service]\n",
    );
    assertMatch((await scene.install()).stdout, /^asked: service install$/m);
  },
});

Deno.test({
  name: "install.sh takes nothing over plain http, not by a redirect either",
  ignore,
  async fn() {
    await using scene = new Scene();
    scene.release({ [NAME]: PROGRAM });
    const named = await scene.install(["--from", scene.plainAddress]);
    assertEquals(named.code, 1);
    assertMatch(named.stderr, /Cannot use "http:.* expected https:/);
    scene.redirect = scene.plainAddress;
    const led = await scene.install();
    assertEquals(led.code, 1);
    assertMatch(led.stderr, /Cannot download "https:.*SHA256SUMS"/);
    scene.redirect = undefined;
    assertEquals((await scene.install()).code, 0);
  },
});

Deno.test({
  name: "install.sh refuses a server that no known authority vouches for",
  ignore,
  async fn() {
    await using scene = new Scene();
    scene.release({ [NAME]: PROGRAM });
    const other = scene.dir.join("other.pem");
    scene.dir.write("other.pem", (await newAuthority()).cert);
    const { code } = await scene.install([], { CURL_CA_BUNDLE: other });
    assertEquals(code, 1);
    assertEquals(scene.names, []);
  },
});

Deno.test({
  name:
    "install.sh installs only what its repository attests, where gh can be asked",
  ignore,
  async fn() {
    await using scene = new Scene();
    scene.release({ [NAME]: PROGRAM });
    const script = Deno.readTextFileSync(SCRIPT)
      .replace("repository=''", "repository='example/agent'");
    scene.dir.write("install.sh", script);
    scene.script = scene.dir.join("install.sh");
    const PATH = `${scene.dir.join("bin")}:${Deno.env.get("PATH")}`;
    const gh = (verdict: number) => {
      scene.dir.write(
        "bin/gh",
        `#!/bin/sh\n[ "$1 $2" = "auth status" ] && exit 0\n` +
          `[ "$1 $2" = "attestation verify" ] && [ "$4 $5" = "--repo example/agent" ] && exit ${verdict}\nexit 9\n`,
      );
      Deno.chmodSync(scene.dir.join("bin/gh"), 0o755);
    };
    gh(1);
    const refused = await scene.install([], { PATH });
    assertEquals(refused.code, 1);
    assertMatch(refused.stderr, /example\/agent does not attest/);
    gh(0);
    assertEquals((await scene.install([], { PATH })).code, 0);
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
    scene.release({
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
