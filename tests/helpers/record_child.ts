/** Adds records to a log, one by one: `record_child.ts PATH NAME COUNT`. */
import { RecordLog } from "../../sync/spool/record_log.ts";

const [path = "", name = "", count = ""] = Deno.args;
const log = new RecordLog(path);
for (let n = 0; n < Number(count); n++) {
  log.append([{
    id: `${name}${n}`,
    filepath: "/captures/door.png",
    metadataJson: "{}",
    createdAtMs: 0,
    watched: false,
    sha256: "",
    identity: { fileId: "", size: 0, mtimeMs: 0, ctimeMs: 0 },
  }]);
}
