import { assert, assertEquals, assertThrows } from "@std/assert";
import { Glob } from "../../sync/watch/glob.ts";

/** The paths among these that a glob matches. */
function matched(glob: string, ...paths: string[]): string[] {
  return paths.filter((path) => new Glob(glob).matches(path));
}

Deno.test("Glob matches by stars, question marks, classes and braces", () => {
  const cases: [glob: string, matches: string[], others: string[]][] = [
    ["*.png", ["a.png", ".a.png", "x/a b.c.png"], ["a.PNG", "a.pngx"]],
    ["a*b*c", ["abc", "axbxbc", "abcc"], ["acb", "xabc", "ab"]],
    ["a**b", ["ab", "axb", "x/axb"], ["a/b"]],
    ["cam?.*", ["cam1.png", "cam\u{1F600}.x"], ["cam.png", "cam12.png"]],
    ["[!a-c]*[0-9]", ["d1", "x/d-9"], ["a1", "d"]],
    ["[]a]", ["]", "a"], ["b"]],
    ["[a", ["[a"], ["a"]],
    ["*.{png,jp{e,}g}", ["a.png", "a.jpg", "a.jpeg"], ["a.gif", "a.{png"]],
    ["{a}(1)+$^.|", ["{a}(1)+$^.|"], ["a(1)+$^.|"]],
    ["\\*[*]\\{a,b}", ["**{a,b}"], ["a*{a,b}"]],
    ["/*.png", ["a.png", "/a.png"], ["x/a.png"]],
    ["./x//*.png", ["x/a.png"], ["a.png", "x/y/a.png"]],
    ["x/", ["x"], ["y/x", "x/y"]],
    ["x/**", ["x/a", "x/y/.a"], ["x", "y/x/a"]],
    ["**/*.png", ["a.png", "x/y/a.png"], ["a.gif"]],
    ["a/**/b/*c*/**/d", ["a/b/c/d", "a/x/b/b/xcx/y/d"], ["a/b/d", "a/b/c/x"]],
    ["**/x/**", ["x/a", "a/x/b"], ["x", "a/x"]],
    ["/home/*/{a,b}/**", ["/home/me/b/c/d.png"], ["/home/me/c/d.png"]],
  ];
  for (const [glob, matches, others] of cases) {
    assertEquals(matched(glob, ...matches, ...others), matches, glob);
  }
});

Deno.test("Glob takes no longer for many stars, braces and long names", () => {
  const name = "a".repeat(255);
  const path = "a/".repeat(2000) + "a";
  const globs = [
    "*a*a*a*a*a*a*b",
    "*?*?*?*?*?*?*?b",
    "**/a/**/*a*a*/**/a*a*/**/b",
    "**/".repeat(300) + "b",
    "*a".repeat(499),
    `{${"a*,".repeat(90)}b}c`,
  ];
  for (const glob of globs) assertEquals(matched(glob, name, path), [], glob);
  assert(new Glob("**/*a*a*a*/**/a*").matches(`${name}/${path}`));
});

Deno.test("Glob refuses what it cannot read, or what is too long", () => {
  const globs = ["[z-a]", "!(a)", "+(a|b)", "*".repeat(1001)];
  globs.push("{a,b}".repeat(30), `{${",".repeat(200)}}`);
  for (const glob of globs) assertThrows(() => new Glob(glob), Error);
});
