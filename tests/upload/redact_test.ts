import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { redact } from "../../sync/upload/redact.ts";

const CANARY = "Divorce papers - Private - Firefox";
const METADATA = JSON.stringify({
  title: CANARY,
  who: "Jane Roe",
  notes: ["Société Générale", { deep: 'say "hi" & <bye>\n\t\\path' }],
  "jane.roe@example.org": "王小明",
  place: "NY",
  door: "door",
  phone: 491511234567,
  floor: 3,
});
const SECRETS = { metadata: METADATA };
const LEAKS =
  /divorce|papers|private|firefox|jane|roe|soci|g.n.ral|say|hi|bye|path|example|王|小|明|NY|491511/i;

/** How servers, and what stands in front of them, repeat a text. */
const FORMS: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "in a JSON string": JSON.stringify,
  "in a JSON string of a JSON string": (text) =>
    JSON.stringify(JSON.stringify(text)),
  "with \\u escapes": ascii,
  "with \\U escapes in upper case": (text) =>
    ascii(text).replace(
      /\\u[0-9a-f]{4}/g,
      (escape) => `\\u${escape.slice(2).toUpperCase()}`,
    ),
  "with \\u escapes in a JSON string": (text) => ascii(JSON.stringify(text)),
  "with \\u escapes, as a JSON string": (text) => JSON.stringify(ascii(text)),
  "with HTML escapes": (text) =>
    text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll(
      "<",
      "&lt;",
    ).replaceAll("é", "&eacute;"),
  "with HTML escapes by number": (text) =>
    text.replace(/[^\w ]/gu, (c) => `&#x${c.codePointAt(0)!.toString(16)};`),
  "percent-encoded": encodeURIComponent,
  "percent-encoded as a form": (text) =>
    new URLSearchParams({ text }).toString(),
  "percent-encoded twice": (text) =>
    encodeURIComponent(encodeURIComponent(text)),
  "as Python's bytes": (text) =>
    [...new TextEncoder().encode(text)].map((byte) =>
      byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`
    ).join(""),
  "decomposed": (text) => text.normalize("NFD"),
  "in capitals": (text) => text.toUpperCase(),
};

function ascii(text: string): string {
  return text.replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

for (const [name, form] of Object.entries(FORMS)) {
  Deno.test(`redact() takes metadata out that is repeated ${name}`, () => {
    const text = redact(`no: ${form(METADATA)}`, SECRETS);
    assertEquals(text.match(LEAKS), null, text);
    assertStringIncludes(text, "no: ");
    const words = redact(`bad title: ${form(CANARY)}`, SECRETS);
    assertStringIncludes(words, "bad title: ");
    assertEquals(words.match(/divorce|private|firefox/i), null, words);
  });
}

Deno.test("redact() takes out what stands after letters that are two units long", () => {
  const metadata = JSON.stringify({ title: "𐑅𐐝𓉬ԭ𖣪 private" });
  const text = redact("𓇊𐕪ꂝ𐓪: 𐑅𐐝𓉬ԭ𖣪 private, no", { metadata });
  assertEquals(text, "𓇊𐕪ꂝ𐓪: [metadata], no");
});

Deno.test("redact() takes a string out wherever a part of it stands", () => {
  const parts = [
    `input_value='Divorce papers - Priv...'`,
    `slug divorce-papers-private-firefox`,
    `cut Divorce papers - Pri`,
    `wrapped Divorce pa\n  pers - Private`,
    `{"detail":[{"loc":["body","title"],"input":"${CANARY}"}]}`,
  ];
  for (const part of parts) {
    const text = redact(part, SECRETS);
    assertStringIncludes(text, "[metadata]");
    assertEquals(text.match(/divorce|papers|private/i), null, text);
  }
});

Deno.test("redact() leaves the server's own words", () => {
  const texts = [
    '{"detail":[{"loc":["body","title"],"msg":"field required","type":"missing"}]}',
    "floor 3 is not allowed for company 2: outdoor only",
    "<h1>502 Bad Gateway</h1>",
    "size 3 is not 4; sha256 mismatch",
    "100% &amp; C:\\new \\u00e9",
  ];
  for (const text of texts) assertEquals(redact(text, SECRETS), text);
  assertEquals(redact("any words", {}), "any words");
  const short = { metadata: '{"a":"e","b":"an","c":"the","d":"—"}' };
  const words = "there is an error in the request";
  assertEquals(redact(words, short), words);
  assertEquals(redact('{"c": "the"}', short), '{"c": "[metadata]"}');
});

Deno.test("redact() takes out the token, whole or in part", () => {
  const token = "tok/EN-123456+x==";
  const texts: [string, string][] = [
    [`bad token ${token}, again ${token}`, "bad token [token], again [token]"],
    ["Bearer tok%2FEN-123456%2Bx%3D%3D", "Bearer [token]"],
    ["starts with tok/EN-1234…", "starts with [token]…"],
    ["token expected", "token expected"],
  ];
  for (const [text, expected] of texts) {
    const shown = redact(text, { token }).replaceAll("[token]==", "[token]");
    assertEquals(shown, expected);
  }
});

Deno.test("redact() takes out the token in base64, wherever that begins, and in hexadecimal", () => {
  const token = "tok>>EN??123456-äx";
  const bytes = new TextEncoder().encode(token);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const forms = [hex.join(""), hex.join("").toUpperCase(), hex.join(":")];
  for (const before of ["", "u", "u:", "us:", "user:"]) {
    for (const after of ["", "!", "!!"]) {
      const base64 = btoa(
        String.fromCharCode(
          ...new TextEncoder().encode(before + token + after),
        ),
      );
      forms.push(base64, base64.replaceAll("+", "-").replaceAll("/", "_"));
    }
  }
  for (const form of forms) {
    const text = redact(`bad ${form}, no`, { token });
    // What is left holds a few bits of its first and last bytes.
    assertMatch(text, /^bad [\w/+-]{0,7}\[token\][\w/+=-]{0,6}, no$/, form);
  }
  const other = `bad ${btoa("another text of this length")}, no`;
  assertEquals(redact(other, { token }), other);
});

Deno.test("redact() shows no secret that the end of what it looks at cuts in two", () => {
  for (let before = 3_700; before < 4_100; before++) {
    const spaces = " ".repeat(before);
    const text = redact(
      `x${spaces}${ascii(CANARY + " é".repeat(40))}`,
      SECRETS,
    );
    assertEquals(text.match(/divorce|papers|private/i), null, `${before}`);
  }
});

Deno.test("redact() makes one bounded line that no terminal obeys", () => {
  const text = redact(
    "\u001b[31mred\r\nnext\u0000\u009b \u202eback\u2028end \u200bzero \ufeff\u{e0041}",
    {},
  );
  assertEquals(
    text,
    "\\u001b[31mred next\\u0000\\u009b \\u202eback end \\u200bzero \\udb40\\udc41",
  );
  assertEquals(redact("a" + "😀".repeat(400), {}).isWellFormed(), true);
  assertEquals(redact("word ".repeat(1000), {}).length, 500);
});

Deno.test("redact() takes its time with nothing, however large or repetitive", () => {
  const large = JSON.stringify({
    a: "ab ".repeat(150_000),
    b: Array.from({ length: 40_000 }, (_, n) => `é${n}`),
  });
  const startedMs = performance.now();
  redact("ab ".repeat(100_000), { metadata: large });
  redact("\\".repeat(100_000) + "%25".repeat(100_000), { metadata: large });
  assert(performance.now() - startedMs < 5_000);
});

Deno.test("redact() takes out the password of a proxy in every form, and leaves its user's name", () => {
  const PASSWORD = "p@ss word/9";
  const escaped = encodeURIComponent(PASSWORD);
  const leaks = /p@ss|p%40ss|word|cEBzcyB3b3Jk|BAc3Mgd29yZ|hush/i;
  const user = "jane.the.user";
  for (
    const [name, value, texts] of [
      ["HTTPS_PROXY", `http://${user}:${escaped}@proxy.example:3128`, [
        `407 for ${user}:${escaped}@proxy.example`,
        `it was ${PASSWORD}`,
        `it was "${escaped}"`,
        `Basic ${btoa(`${user}:${PASSWORD}`)} is refused`,
        `Basic ${btoa(`${user}:${escaped}`)} is refused`,
      ]],
      ["all_proxy", "me:hush@proxy.example", [
        "no me:hush@proxy",
        "no hush",
        `no ${btoa("me:hush")} here`,
      ]],
      // A key in the place of the name.
      ["http_proxy", "http://hush-key-1@proxy.example", ["no hush-key-1"]],
    ] as const
  ) {
    Deno.env.set(name, value);
    try {
      for (const text of texts) {
        const shown = redact(text, {});
        assertStringIncludes(shown, "[proxy password]");
        const rest = shown.replaceAll("[proxy password]", "");
        assert(!leaks.test(rest), shown);
      }
      const path = `/home/${user}/a.png is gone`;
      assertEquals(redact(path, {}), path);
    } finally {
      Deno.env.delete(name);
    }
  }
});
