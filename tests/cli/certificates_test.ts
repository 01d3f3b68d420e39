import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Authority, newAuthority } from "../helpers/certificates.ts";
import { Host } from "../helpers/host.ts";
import { delivered, ScriptedServer } from "../helpers/scripted_server.ts";
import { TempDir } from "../helpers/temp_dir.ts";

Deno.test("upload accepts a server whose authority only the system knows", async () => {
  const authority = await newAuthority();
  const tls = await authority.sign();
  await using server = new ScriptedServer(delivered, { tls });
  await using dir = new TempDir();
  const known = dir.write("authority.pem", authority.cert);
  await using host = new Host(server.url, { SSL_CERT_FILE: known });
  const { code, stdout } = await host.run("upload", host.write("a.png"));
  assertStringIncludes(stdout, "a.png: delivered as capture-1");
  assertEquals(code, 0);
});

Deno.test("upload keeps from a server whose authority nobody knows, says why and what to do", async () => {
  const tls = await (await newAuthority()).sign();
  await using server = new ScriptedServer(delivered, { tls });
  await using host = new Host(server.url);
  const { code, stdout } = await host.run("upload", host.write("a.png"));
  assertMatch(
    stdout,
    /a\.png: queued .*invalid peer certificate: UnknownIssuer; .*SSL_CERT_FILE/,
  );
  assertEquals([code, server.requests], [75, []]);
});

Deno.test("a DENO_TLS_CA_STORE of the user's own is left as it is", async () => {
  const authority = await newAuthority();
  const tls = await authority.sign();
  await using server = new ScriptedServer(delivered, { tls });
  await using dir = new TempDir();
  await using host = new Host(server.url, {
    SSL_CERT_FILE: dir.write("authority.pem", authority.cert),
    DENO_TLS_CA_STORE: "mozilla",
  });
  const { code } = await host.run("upload", host.write("a.png"));
  assertEquals([code, server.requests], [75, []]);
});

Deno.test("upload says what to do when the system's certificates cannot be read", async () => {
  await using host = new Host("https://captures.example.org", {
    SSL_CERT_FILE: "/no/such/file.pem",
  });
  const { code, stderr } = await host.run("upload", host.write("a.png"));
  assertMatch(stderr, /^jarvis-agent: Cannot prepare TLS: .*SSL_CERT_FILE/);
  assertEquals(code, 1);
});

Deno.test(
  "a pipe is not waited for where a settings file, a key or a certificate is expected",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host("https://captures.example.org");
    const pipe = host.join("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    Deno.chmodSync(pipe, 0o600);
    const pem = host.write("cert.pem", "-----BEGIN CERTIFICATE-----");
    const regular = ": it is not a regular file, expected a file";
    const cases: [args: string[], message: string][] = [
      [["--config", pipe], `Cannot read the settings file "${pipe}"${regular}`],
      [["--ca-file", pipe], `Cannot use --ca-file "${pipe}": expected a file`],
      [
        ["--client-cert", pem, "--client-key", pipe],
        `Cannot read the client's key "${pipe}"${regular}`,
      ],
      [
        ["--client-cert", pipe, "--client-key", pem],
        "Cannot use --client-cert",
      ],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await host.inShell(
        'timeout 30 "$@"',
        ...["check", ...args],
      );
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
    }
    host.env.SSL_CERT_FILE = pipe;
    const { code, stderr } = await host.inShell('timeout 30 "$@"', "check");
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, `Cannot prepare TLS: "${pipe}" is a pipe`);
  },
);

const openssl = "/usr/bin/openssl";
const hasOpenssl = await Deno.stat(openssl).then(() => true, () => false);

/** A host whose server's authority only `--ca-file` knows. */
function hostOf(url: string, { cert }: Authority): Host {
  const host = new Host(url);
  host.env.JARVIS_CA_FILE = host.write("ca.pem", cert);
  return host;
}

Deno.test("--ca-file names an authority to trust, for every command that asks the server", async () => {
  const authority = await newAuthority();
  const tls = await authority.sign();
  await using server = new ScriptedServer(delivered, { tls });
  await using host = hostOf(server.url, authority);
  const upload = await host.run("upload", host.write("a.png"));
  assertEquals(upload.code, 0, upload.stderr);
  await host.enqueue(host.write("b.png"));
  assertEquals((await host.run("sync")).code, 0);
});

for (
  const [what, sign, reason, remedy] of [
    [
      "for another name",
      { host: "other.example" },
      "not valid for name",
      "expected the server's address to be one",
    ],
    [
      "that has expired",
      { until: "20200101000000Z" },
      "expired",
      "have it renewed",
    ],
    [
      "of an authority",
      { isCa: true },
      "CaUsedAsEndEntity",
      'expected one without that: "openssl req -x509" makes it with -addext',
    ],
    [
      "for clients alone",
      { isForClients: true },
      "extended key usage",
      "expected a certificate for servers",
    ],
  ] as const
) {
  Deno.test(`a certificate ${what} is refused, with the reason and what to do`, async () => {
    const authority = await newAuthority();
    const tls = await authority.sign(sign);
    await using server = new ScriptedServer(delivered, { tls });
    await using host = hostOf(server.url, authority);
    const upload = await host.run("upload", host.write("a.png"));
    const check = await host.run("check");
    assertEquals([upload.code, check.code], [75, 75]);
    for (const { stdout } of [upload, check, await host.run("doctor")]) {
      assertStringIncludes(stdout, reason);
      assertStringIncludes(stdout, remedy);
    }
    assertEquals(server.requests, []);
  });
}

/** A server of OpenSSL, which can ask for more than Deno's can. */
class OpensslServer implements AsyncDisposable {
  private constructor(
    readonly url: string,
    readonly end: () => Promise<unknown>,
  ) {}

  static async start(dir: TempDir, authority: Authority, ...args: string[]) {
    const { cert, key } = await authority.sign();
    const files = [
      ["-cert", dir.write("cert.pem", cert)],
      ["-key", dir.write("key.pem", key)],
      ["-CAfile", dir.write("ca.pem", authority.cert)],
    ].flat();
    const child = new Deno.Command(openssl, {
      args: ["s_server", "-www", "-accept", "0", ...files, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    let said = "";
    while (!/ACCEPT \S+:\d+\n/.test(said)) said += (await reader.read()).value;
    const [, port] = /:(\d+)\n/.exec(said)!;
    return new OpensslServer(`https://localhost:${port}`, () => {
      child.kill("SIGKILL");
      return Promise.all([reader.cancel(), child.status]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

Deno.test(
  "--client-cert and --client-key are shown to a server that asks for them",
  {
    ignore: !hasOpenssl,
  },
  async () => {
    const authority = await newAuthority();
    const client = await authority.sign({ host: "client" });
    await using dir = new TempDir();
    await using server = await OpensslServer.start(
      dir,
      authority,
      ...["-Verify", "1", "-verify_return_error"],
    );
    await using host = hostOf(server.url, authority);
    const without = await host.run("upload", host.write("a.png"));
    assertEquals(without.code, 75);
    assertMatch(
      without.stdout,
      /CertificateRequired; .*--client-cert and --client-key/,
    );
    const files = [
      ["--client-cert", host.write("client.pem", client.cert)],
      ["--client-key", host.write("client.key", client.key)],
    ].flat();
    const { stdout, stderr } = await host.run("check", ...files);
    assertStringIncludes(stdout, "answers with an HTML page");
    assertStringIncludes(stderr, "Others can read the client's key");
    const half = await host.run("check", ...files.slice(0, 2));
    assertEquals(half.code, 2);
    assertStringIncludes(
      half.stderr,
      "Cannot use --client-cert alone: expected --client-key",
    );
  },
);

Deno.test("a server that speaks only TLS 1.1 is refused, with what to do", {
  ignore: !hasOpenssl,
}, async () => {
  const authority = await newAuthority();
  await using dir = new TempDir();
  await using server = await OpensslServer.start(
    dir,
    authority,
    "-tls1_1",
    "-cipher",
    "ALL:@SECLEVEL=0",
  );
  await using host = hostOf(server.url, authority);
  const { code, stdout } = await host.run("upload", host.write("a.png"));
  assertEquals(code, 75);
  assertMatch(
    stdout,
    /ProtocolVersion; expected a server that speaks TLS 1\.2/,
  );
});

Deno.test("a certificate file that cannot be used is refused before anything is sent", async () => {
  await using host = new Host("https://127.0.0.1:9");
  const file = host.write("nonsense", "nonsense");
  for (const path of [file, host.join("missing")]) {
    const { code, stderr } = await host.run("check", "--ca-file", path);
    assertEquals(code, 2);
    assertStringIncludes(
      stderr,
      `Cannot use --ca-file "${path}": expected a file with a certificate`,
    );
  }
  const { cert } = await (await newAuthority()).sign();
  const other = await host.run(
    ...["check", "--client-cert", host.write("cert", cert)],
    ...["--client-key", file],
  );
  assertEquals(other.code, 1);
  assertStringIncludes(other.stderr, "Cannot prepare TLS: ");
});
