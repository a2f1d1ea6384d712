// A small LZO1X compressor for tests: greedy, with every kind of match that the format has
// (Documentation/staging/lzo.rst).

interface Match {
  readonly at: number;
  readonly length: number;
  readonly distance: number;
}

export function lzo1xCompress(input: Uint8Array): Uint8Array {
  const out: number[] = [];
  let literalsFrom = 0;
  let lastStateAt = -1; // where the two bits of the instruction before stand; -1 before the first
  let state: 0 | 1 | 2 | 3 | 4 = 0;

  const extended = (value: number): void => {
    for (; value > 255; value -= 255) out.push(0);
    out.push(value);
  };
  const literals = (to: number): void => {
    const run = to - literalsFrom;
    state = 0;
    if (run === 0) return;
    if (lastStateAt < 0 && run <= 238) {
      out.push(17 + run);
      state = run < 4 ? (run as 1 | 2 | 3) : 4;
    } else if (run <= 3 && lastStateAt >= 0) {
      out[lastStateAt]! |= run;
      state = run as 1 | 2 | 3;
    } else {
      if (run <= 18) out.push(run - 3);
      else {
        out.push(0);
        extended(run - 18);
      }
      state = 4;
    }
    for (let i = literalsFrom; i < to; i++) out.push(input[i]!);
    literalsFrom = to;
  };
  const copy = ({ at, length, distance }: Match): void => {
    literals(at);
    const d = distance - 1;
    if (state === 4 && length === 3 && distance > 2048 && distance <= 3072) {
      out.push(((distance - 2049) & 3) << 2, (distance - 2049) >> 2);
      lastStateAt = out.length - 2;
    } else if (length >= 3 && length <= 4 && distance <= 2048) {
      out.push(64 | ((length - 3) << 5) | ((d & 7) << 2), d >> 3);
      lastStateAt = out.length - 2;
    } else if (length >= 5 && length <= 8 && distance <= 2048) {
      out.push(128 | ((length - 5) << 5) | ((d & 7) << 2), d >> 3);
      lastStateAt = out.length - 2;
    } else {
      const far = distance > 16384;
      const high = far && distance - 16384 >= 16384 ? 8 : 0;
      const base = far ? 16 | high : 32;
      const most = far ? 7 : 31;
      if (length - 2 <= most) out.push(base | (length - 2));
      else {
        out.push(base);
        extended(length - 2 - most);
      }
      const low = far ? distance - 16384 - (high === 8 ? 16384 : 0) : d;
      out.push((low & 0x3f) << 2, low >> 6);
      lastStateAt = out.length - 2;
    }
    literalsFrom = at + length;
  };

  const seen = new Map<number, number>();
  for (let at = 0; at + 3 <= input.length; ) {
    const key = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16);
    const before = seen.get(key);
    seen.set(key, at);
    if (before === undefined || at - before > 49151) {
      at++;
      continue;
    }
    let length = 3;
    while (at + length < input.length && input[before + length] === input[at + length]) length++;
    copy({ at, length, distance: at - before });
    at += length;
  }
  literals(input.length);
  out.push(0x11, 0, 0);
  return Uint8Array.from(out);
}
