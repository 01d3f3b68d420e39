/** Another user of the host, who may write into some folder on the way. */
export const NEIGHBOUR = 12345;

/** Whether a test can make what is another user's: only root can. */
export const CAN_GIVE_AWAY = Deno.build.os !== "windows" && Deno.uid() === 0;

/** Makes a symbolic link that is another user's. */
export function neighboursLink(target: string, path: string): void {
  Deno.symlinkSync(target, path);
  // Older versions of Deno have no function for it.
  const args = ["-h", `${NEIGHBOUR}:${NEIGHBOUR}`, path];
  const { success } = new Deno.Command("chown", { args }).outputSync();
  if (!success) throw new Error(`Cannot give "${path}" away`);
}
