/** Whether a file or folder can be made one that nobody can change, root neither. */
export function canBeImmutable(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const path = Deno.makeTempFileSync();
  try {
    chattr("+i", path);
    chattr("-i", path);
    return true;
  } catch {
    return false;
  } finally {
    Deno.removeSync(path);
  }
}

/** A file or folder that nobody can change until the end of the scope. */
export class Immutable implements Disposable {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    chattr("+i", path);
  }

  [Symbol.dispose](): void {
    chattr("-i", this.#path);
  }
}

function chattr(change: string, path: string): void {
  const command = new Deno.Command("chattr", { args: [change, path] });
  const { success, stderr } = command.outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
