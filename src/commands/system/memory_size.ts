// Amounts of memory as crash(8) has them.

/** Bytes as `447.5 MB` or `16 GB`. */
export function memorySize(bytes: number): string {
  const gib = 1024 ** 3;
  const [value, unit] = bytes >= gib ? [bytes / gib, 'GB'] : [bytes / 1024 ** 2, 'MB'];
  return `${String(Math.round(value * 10) / 10)} ${unit}`;
}
