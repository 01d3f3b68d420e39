import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CaptureFileError } from "../../sync/capture/errors.ts";
import { statCapture, takeCopy } from "../../sync/spool/take_copy.ts";
import { testAcrossFileSystems } from "../helpers/store_fixture.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const POSIX = Deno.build.os !== "windows";

/** The same file under two names. */
function isLinked(a: string, b: string): boolean {
  const [{ dev, ino }, other] = [Deno.statSync(a), Deno.statSync(b)];
  return dev === other.dev && ino === other.ino;
}

function setTime(path: string, ms: number): void {
  Deno.utimeSync(path, new Date(ms), new Date(ms));
}

Deno.test("takeCopy() links where it can: no bytes are copied, and no room is asked for", async () => {
  await using dir = new TempDir();
  const source = dir.write("capture.png", "bytes");
  setTime(source, 1_700_000_000_123);
  const path = dir.join("copy");
  const file = await takeCopy(source, path, {
    beforeCopy: () => {
      throw new Error("no room");
    },
  });
  assertEquals(file, { size: 5, mtimeMs: 1_700_000_000_123 });
  assert(isLinked(source, path));
});

testAcrossFileSystems(
  "takeCopy() copies to another file system, with the time, for its user alone",
  async (other) => {
    await using dir = new TempDir();
    const source = dir.write("capture.png", "bytes");
    if (POSIX) Deno.chmodSync(source, 0o644);
    let asked = 0;
    for (const mtimeMs of [0, 1_700_000_000_001, 1_763_942_400_999]) {
      setTime(source, mtimeMs);
      const path = other.join(`copy ${mtimeMs}`);
      const file = await takeCopy(source, path, { beforeCopy: () => asked++ });
      assertEquals(file, { size: 5, mtimeMs });
      assertEquals(Deno.readTextFileSync(path), "bytes");
      assertEquals(statCapture(path), file);
      if (POSIX) assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    }
    assertEquals(asked, 3);
  },
);

testAcrossFileSystems(
  "takeCopy() copies nothing if there may not be room",
  async (other) => {
    await using dir = new TempDir();
    const source = dir.write("capture.png", "bytes");
    const beforeCopy = () => {
      throw new RangeError("no room");
    };
    await assertRejects(
      () => takeCopy(source, other.join("copy"), { beforeCopy }),
      RangeError,
    );
    assertEquals([...Deno.readDirSync(other.path)], []);
  },
);

testAcrossFileSystems(
  "takeCopy() refuses a file that changes while it is copied",
  async (other) => {
    await using dir = new TempDir();
    const source = dir.write("capture.png", "bytes");
    setTime(source, 1_700_000_000_000);
    const changes: Record<string, () => void> = {
      grows: () => Deno.writeTextFileSync(source, "more", { append: true }),
      "is written anew": () => Deno.writeTextFileSync(source, "BYTES"),
    };
    for (const [name, beforeCopy] of Object.entries(changes)) {
      await assertRejects(
        () => takeCopy(source, other.join(name), { beforeCopy }),
        CaptureFileError,
        "it changed while it was copied",
      );
      setTime(source, 1_700_000_000_000);
    }
  },
);

Deno.test("takeCopy() takes the file that a symbolic link leads to, not the link", async () => {
  await using dir = new TempDir();
  const file = dir.write("capture.png", "bytes");
  Deno.symlinkSync(file, dir.join("link"));
  const path = dir.join("copy");
  await takeCopy(dir.join("link"), path);
  assert(Deno.lstatSync(path).isFile);
  assert(isLinked(file, path));
});

Deno.test("statCapture() refuses what is no readable file, and says what it is", async () => {
  await using dir = new TempDir();
  const cases: [string, string][] = [
    [dir.join("missing"), "no such file"],
    [dir.path, "it is a directory"],
    [dir.join("broken"), "no such file"],
  ];
  Deno.symlinkSync(dir.join("missing"), dir.join("broken"));
  if (Deno.build.os === "linux") {
    cases.push(["/dev/null", "it is not a regular file"]);
  }
  for (const [path, words] of cases) {
    const error = assertThrows(
      () => statCapture(path),
      CaptureFileError,
      words,
    );
    assert(error.message.includes(`"${path}"`), error.message);
  }
});

Deno.test({
  name: "statCapture() refuses a file that its user may not read",
  // Root may read everything.
  ignore: !POSIX || Deno.uid() === 0,
  async fn() {
    await using dir = new TempDir();
    const path = dir.write("secret.png", "bytes");
    Deno.chmodSync(path, 0o000);
    assertThrows(
      () => statCapture(path),
      CaptureFileError,
      "permission denied",
    );
  },
});
