/** At most so many words are offered. */
const MAX_WORDS = 3;

/** Asks whether one of the words was meant that are near to another; nothing if none is. */
export function didYouMean(
  word: string,
  words: readonly string[],
  write: (word: string) => string,
): string {
  const near = words
    .map((other) => ({ other, letters: distance(word, other) }))
    .filter(({ other, letters }) => letters <= 2 || isPart(word, other))
    .sort((a, b) => a.letters - b.letters)
    .slice(0, MAX_WORDS)
    .map(({ other }) => write(other));
  return near.length > 0 ? `; did you mean ${either(near)}?` : "";
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  return words.join(", ").replace(/, (?=[^,]*$)/, " or ");
}

/** Whether one word has the other in it, but for one that is too short to tell. */
function isPart(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 3 && long.includes(short);
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
