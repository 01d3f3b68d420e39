/** Returns the word that differs from `word` by at most two letters, if any. */
export function closest(
  word: string,
  words: readonly string[],
): string | undefined {
  const [best] = words
    .map((other) => ({ other, letters: distance(word, other) }))
    .sort((a, b) => a.letters - b.letters);
  return best && best.letters <= 2 ? best.other : undefined;
}

/** How many letters to insert, delete or replace to turn one word into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced));
    }
    row = next;
  }
  return row[b.length]!;
}
