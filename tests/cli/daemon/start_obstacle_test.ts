import { assertEquals, assertMatch } from "@std/assert";
import { OptionValues } from "../../../sync/cli/arguments.ts";
import { readSettings } from "../../../sync/cli/settings/config.ts";
import { statusOf } from "../../../sync/cli/daemon/start_obstacle.ts";
import { UploadQueue } from "../../../sync/queue/queue.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

Deno.test(
  "a service whose data directory was removed says so, and does not end by saying it",
  {
    // There what is open cannot be removed.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using dir = new TempDir();
    Deno.mkdirSync(dir.join("data"));
    using queue = new UploadQueue(dir.join("data", "queue.db"));
    const given = new OptionValues([], new Map());
    const settings = readSettings(given, { env: () => undefined, err() {} });
    const look = { queue, spool: undefined };
    assertEquals(statusOf(null, { settings, look }), "everything is delivered");
    Deno.removeSync(dir.join("data"), { recursive: true });
    assertMatch(
      statusOf(null, { settings, look }),
      /queue\.db" was removed or replaced/,
    );
    assertEquals(statusOf("mend me", { settings, look }), "mend me");
  },
);
