import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";

/** What became of uploads that {@linkcode uploadAside} made. */
export interface UploadAside {
  success: boolean;
  error: string | null;
  /** By how much the memory grew at most meanwhile, in bytes. */
  grownBytes: number;
}

/** Uploads a file to each server, four times at once, in a process of its own. */
export async function uploadAside(
  path: string,
  urls: string[],
  env: Record<string, string> = {},
): Promise<UploadAside[]> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", ...bindingFlags()],
      ...[projectPath("tests/helpers/upload_child.ts"), path, ...urls],
    ],
    // Deno itself would ask for a newer version, through a proxy as well.
    env: { DENO_NO_UPDATE_CHECK: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (stderr.length > 0) throw new Error(text.decode(stderr));
  return JSON.parse(text.decode(stdout));
}
