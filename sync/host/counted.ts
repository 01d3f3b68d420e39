/** Returns a count in words: "1 byte", "2 bytes", "1 file is", "2 files are". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Returns the number of captures that wait, in words. */
export function capturesWait(count: number): string {
  return counted(count, "capture waits", "captures wait");
}
