import { assertEquals, assertThrows } from "@std/assert";
import {
  linesNotRead,
  parseEnvFile,
  updateEnvFile,
} from "../../../sync/cli/service/env_file.ts";

Deno.test("parseEnvFile() reads values as systemd does", () => {
  const text = String.raw`
# a comment
; another
PLAIN=value
  SPACED  =  two words  
EMPTY=
DOUBLE="a \"b\" \$c \n"
SINGLE='a "b" \$c'
MIXED="one two"' three' four
LATER=one" two"' three'
ESCAPED=a\ b
HASH=a # b
TWICE=1
TWICE=2
no assignment
`;
  assertEquals(
    Object.fromEntries(parseEnvFile(text)),
    {
      PLAIN: "value",
      SPACED: "two words",
      EMPTY: "",
      DOUBLE: String.raw`a "b" $c \n`,
      SINGLE: String.raw`a "b" \$c`,
      MIXED: "one two threefour",
      LATER: `one" two"' three'`,
      ESCAPED: "a b",
      HASH: "a # b",
      TWICE: "2",
    },
  );
});

Deno.test("parseEnvFile() reads every kind of line end, and no value that systemd refuses", () => {
  assertEquals(
    parseEnvFile("A=1\r\nB=2\rC=\u2028\nC=\x1b\n\ufeffD=4\n"),
    new Map([["A", "1"], ["B", "2"], ["C", "\u2028"]]),
  );
});

Deno.test("linesNotRead() finds what parseEnvFile() passes over, but for comments and blank lines", () => {
  const text =
    "\ufeffA=1\n# no\n\n ; no\r\nexport B=2\nC: 3\n{}\nD=\x1b\n E = 5\n  \n";
  const name = "NAME=value, with nothing before NAME";
  assertEquals(
    linesNotRead(text).map(({ number, expected }) => [number, expected]),
    [
      [
        1,
        "NAME=value, without the byte order mark before NAME, which cannot be seen",
      ],
      [5, 'NAME=value, without "export": no shell reads it'],
      [6, name],
      [7, name],
      [8, "a value without control characters"],
    ],
  );
});

Deno.test("updateEnvFile() changes what is another, and leaves every other line as it is", () => {
  const text = `# mine\nA="1"\n  B = two words\nC=3\n`;
  assertEquals(
    updateEnvFile(text, new Map([["A", "1"], ["C", "4"], ["D", "a b"]])),
    `# mine\nA="1"\n  B = two words\nC=4\nD="a b"\n`,
  );
  assertEquals(updateEnvFile(text, new Map()), text);
});

Deno.test("what updateEnvFile() writes, parseEnvFile() reads", () => {
  const values = [
    "",
    "a",
    "with space",
    `"quoted" 'twice'`,
    "$HOME `id` \\ \\\\ %h",
    "#no comment; none",
    "ünïcode",
  ];
  const variables = new Map(values.map((value, i) => [`V${i}`, value]));
  assertEquals(parseEnvFile(updateEnvFile("", variables)), variables);
});

Deno.test("updateEnvFile() refuses a value that would begin a line of its own, and does not repeat it", () => {
  const error = assertThrows(
    () => updateEnvFile("", new Map([["A", "hush\nB=2"]])),
    TypeError,
    "the value of A as a setting: expected one line",
  );
  assertEquals(error.message.includes("hush"), false);
});
