// Columns as crash(8) lays them out.

/** Text in the middle of a column; what cannot be halved goes behind it. */
export function center(text: string, width: number): string {
  return centered(text, width, Math.floor);
}

/** Text in the middle of a column; what cannot be halved goes before it. */
export function centerRight(text: string, width: number): string {
  return centered(text, width, Math.ceil);
}

function centered(text: string, width: number, half: (n: number) => number): string {
  const before = Math.max(0, half((width - text.length) / 2));
  return `${' '.repeat(before)}${text}`.padEnd(width);
}
