/** Adds records to a log, one by one: `record_child.ts PATH NAME COUNT`. */
import { RecordLog } from "../../sync/spool/record_log.ts";
import { recordOf } from "../helpers/spool_record.ts";

const [path = "", name = "", count = ""] = Deno.args;
const log = new RecordLog(path);
for (let n = 0; n < Number(count); n++) {
  log.append([recordOf(`${name}${n}`)]);
}
