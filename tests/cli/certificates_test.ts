import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { newAuthority } from "../helpers/certificates.ts";
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
