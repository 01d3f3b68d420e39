import { assertEquals, assertThrows } from "@std/assert";
import { parseServerUrl } from "../../sync/upload/server_url.ts";

Deno.test("parseServerUrl() returns the address without a trailing slash", () => {
  const addresses: [string, string][] = [
    ["https://captures.example.org", "https://captures.example.org"],
    ["https://captures.example.org/", "https://captures.example.org"],
    ["  https://captures.example.org \n", "https://captures.example.org"],
    ["HTTPS://Captures.Example.ORG:443/", "https://captures.example.org"],
    ["https://captures.example.org:8443", "https://captures.example.org:8443"],
    ["https://h/behind/proxy/", "https://h/behind/proxy"],
    ["https://h/behind//", "https://h/behind"],
    ["https://h/with space", "https://h/with%20space"],
    ["https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"],
    ["https://h/?", "https://h"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
  ];
  for (const [text, expected] of addresses) {
    assertEquals(parseServerUrl(text), expected);
  }
});

Deno.test("parseServerUrl() takes plain http:// to this machine", () => {
  const addresses = [
    "http://localhost",
    "http://localhost:8000",
    "http://127.0.0.1:8000",
    "http://127.1.2.3",
    "http://[::1]:8000",
    "http://[::ffff:7f00:1]",
    "http://[::ffff:7f01:203]",
    // Whoever connects to these gets to this machine.
    "http://0.0.0.0:8000",
    "http://[::]:8000",
    "http://[::ffff:0:0]",
  ];
  for (const text of addresses) assertEquals(parseServerUrl(text), text);
  for (const text of ["http://127.1", "http://0x7f.1", "http://2130706433"]) {
    assertEquals(parseServerUrl(text), "http://127.0.0.1");
  }
});

Deno.test("parseServerUrl() takes plain http:// to another machine only when that is allowed", () => {
  const addresses = [
    "http://captures.example.org",
    "http://192.168.1.20:8000",
    "http://[2001:db8::1]",
    "http://127.0.0.1.example.org",
    "http://localhost.example.org",
    "http://notlocalhost",
    // This is asked of DNS.
    "http://captures.localhost",
    "http://[::7f00:1]",
    "http://[::ffff:8000:1]",
    "http://128.0.0.1",
    "http://0.0.0.1",
  ];
  for (const text of addresses) {
    assertThrows(
      () => parseServerUrl(text),
      TypeError,
      "readable by everybody",
    );
    assertEquals(parseServerUrl(text, { allowInsecure: true }), text);
  }
});

Deno.test("parseServerUrl() refuses localhost with a dot at its end, which DNS may lead elsewhere", () => {
  for (const text of ["http://localhost.:8000", "https://LOCALHOST./x"]) {
    assertThrows(
      () => parseServerUrl(text, { allowInsecure: true }),
      TypeError,
      'expected "127.0.0.1"',
    );
  }
});

Deno.test("parseServerUrl() refuses what is not an http address, and never repeats it", () => {
  const texts = [
    "",
    "captures.example.org",
    "localhost:8000",
    "//captures.example.org",
    "/api",
    "ftp://captures.example.org",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "https://exa mple.org",
    "https://h:99999",
    "s3cret-token",
    "https//captures.example.org/s3cret-token",
  ];
  for (const text of texts) {
    const error = assertThrows(() => parseServerUrl(text), TypeError);
    assertEquals(
      error.message,
      "Cannot use the server address: " +
        'expected an address like "https://captures.example.org"',
    );
  }
});

Deno.test("parseServerUrl() refuses credentials, and never repeats them", () => {
  const texts = [
    "https://user:hunter2@captures.example.org",
    "https://hunter2@captures.example.org",
    "https://:hunter2@captures.example.org",
    "http://user:hunter2@captures.example.org/path?query#hash",
    "user:hunter2@captures.example.org",
    "ftp://user:hunter2@captures.example.org",
  ];
  for (const text of texts) {
    const error = assertThrows(
      () => parseServerUrl(text, { allowInsecure: true }),
      TypeError,
    );
    assertEquals(error.message.includes("hunter2"), false, error.message);
  }
});

Deno.test("parseServerUrl() refuses a query and a fragment, and never repeats them", () => {
  const texts = [
    "https://captures.example.org/?key=hunter2",
    "https://captures.example.org/#hunter2",
  ];
  for (const text of texts) {
    const error = assertThrows(() => parseServerUrl(text), TypeError);
    assertEquals(
      error.message,
      'Cannot use a server address with a query or fragment (host "captures.example.org"): ' +
        'expected an address like "https://captures.example.org"',
    );
  }
});
