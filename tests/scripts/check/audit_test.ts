import { assert, assertEquals, assertMatch } from "@std/assert";
import { moduleGraph, sbomOf } from "../../../scripts/build/sbom.ts";
import { auditDependencies, importsOf } from "../../../scripts/check/audit.ts";
import { bindingFlags, projectPath } from "../../../scripts/task/bindings.ts";
import { IS_OLDEST_DENO } from "../../helpers/deno_version.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

function readJson(path: string) {
  return JSON.parse(Deno.readTextFileSync(projectPath(path)));
}

Deno.test("every dependency has one version and a hash, in both lock files", () => {
  const lists = [["deno.json", "deno.lock"], [
    "scripts/npm/import_map.json",
    "scripts/npm/deno.lock",
  ]] as const;
  for (const [config, lock] of lists) {
    const imports = importsOf(readJson(config));
    assertEquals(auditDependencies(imports, readJson(lock), new Map()), []);
  }
});

Deno.test("the audit finds what is not locked, has no hash, or is under another licence", async () => {
  await using dir = new TempDir();
  dir.write("a/package.json", '{"license":"MIT"}');
  dir.write("b/package.json", '{"license":"BUSL-1.1"}');
  const lock = {
    specifiers: { "npm:a@1.0.0": "1.0.0", "jsr:@std/path@^1.1.6": "1.1.6" },
    jsr: { "@std/path@1.1.6": {}, "@other/x@1.0.0": { integrity: "00" } },
    npm: {
      "a@1.0.0": { integrity: "sha512-AA==" },
      "@scope/b_c@2.0.0_a@1.0.0": { integrity: "sha512-AA==" },
    },
  };
  const folders = new Map([
    ["a@1.0.0", dir.join("a")],
    ["@scope/b_c@2.0.0", dir.join("b")],
  ]);
  const imports = {
    a: "npm:a@1.0.0",
    "@std/path": "jsr:@std/path@^1.1.6",
    missing: "npm:missing@1",
    own: "./own.ts",
  };
  const found = auditDependencies(imports, lock, folders);
  const told = (part: string) => found.some((text) => text.includes(part));
  assertEquals(found.length, 4, found.join("\n"));
  assert(told('"npm:missing@1" has no version'));
  assert(told("jsr:@std/path@1.1.6 has no hash"));
  assert(told("@other/x@1.0.0 is under"));
  assert(told('npm:@scope/b_c@2.0.0 is under "BUSL-1.1"'));
});

const flags = bindingFlags();
const lock = flags.find((flag) => flag.startsWith("--lock="))?.slice(7);

Deno.test(
  "the list of what is in an executable names each package with version, hash and licence",
  {
    // Another registry than JSR's own has no hashes; the oldest Deno finds no licences.
    ignore: lock === undefined || IS_OLDEST_DENO,
  },
  async () => {
    const graph = await moduleGraph("main.ts", flags);
    const sbom = sbomOf(
      { name: "jarvis-agent", version: "1.2.3" },
      graph,
      JSON.parse(Deno.readTextFileSync(lock!)),
    );
    const components = sbom.components as {
      name: string;
      hashes: { content: string }[];
      licenses: { license: { id: string } }[];
    }[];
    assert(components.length > 0);
    for (const { name, hashes, licenses } of components) {
      assert(/^[0-9a-f]{64,128}$/.test(hashes[0]!.content), name);
      assert(licenses[0]!.license.id, name);
      assert(!name.startsWith("@types/"), name);
    }
  },
);

Deno.test("workflows name every action by its commit, every image by its digest", () => {
  const folder = projectPath(".github/workflows");
  const workflows = [...Deno.readDirSync(folder)]
    .map(({ name }) => Deno.readTextFileSync(`${folder}/${name}`)).join("\n");
  const actions = [...workflows.matchAll(/\buses:\s*(.*)/g)];
  assert(actions.length > 0);
  for (const [, action] of actions) assertMatch(action!, /@[0-9a-f]{40} # v/);

  const images = [...workflows.matchAll(/\bimage: *(\S+)|\b(debian:\S+)/g)];
  assert(images.length > 0);
  for (const [image] of images) assertMatch(image, /@sha256:[0-9a-f]{64}$/);
});
