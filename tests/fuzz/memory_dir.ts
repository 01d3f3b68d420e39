/** A folder in memory, where there is one: it is not the disk that is tried here. */
export function memoryDir(): string | undefined {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : undefined;
  } catch {
    return undefined;
  }
}
