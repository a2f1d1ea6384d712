// The right word for a wrong one.

/**
 * The known word that is nearest to a wrong one: at most two letters changed, lost, added or swapped, of a short word one; or
 * null, always for a single letter, which is as near to any other.
 */
export function nearest(wrong: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let least = wrong.length < 2 ? 1 : wrong.length < 4 ? 2 : 3;
  for (const word of known) {
    const far = distance(wrong, word, least);
    if (far < least) {
      least = far;
      best = word;
    }
  }
  return best;
}

/** Edits from one word to another (restricted Damerau-Levenshtein), or `limit` if there are as many or more. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, rows[i - 2]![j - 2]! + 1);
      row.push(edits);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
