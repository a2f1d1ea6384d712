// Round keys of AES (FIPS 197, 5.2): from any of them the key can be had again, so that they are as secret as it is.
// Ciphers keep them beside each other, for both directions.

const sbox = makeSbox();

/** The round keys that a key is spread into, 16 bytes each, for encryption and decryption; none for other lengths. */
export function aesRoundKeys(key: Uint8Array): Uint8Array[] {
  const words = key.length / 4;
  if (words !== 4 && words !== 6 && words !== 8) return [];
  const total = 4 * (words + 7);
  const w = new Uint8Array(total * 4);
  w.set(key);
  let rcon = 1;
  for (let i = words; i < total; i++) {
    const t = [w[4 * i - 4]!, w[4 * i - 3]!, w[4 * i - 2]!, w[4 * i - 1]!];
    if (i % words === 0) {
      t.push(t.shift()!);
      for (let j = 0; j < 4; j++) t[j] = sbox[t[j]!]!;
      t[0]! ^= rcon;
      rcon = double(rcon);
    } else if (words === 8 && i % words === 4) {
      for (let j = 0; j < 4; j++) t[j] = sbox[t[j]!]!;
    }
    for (let j = 0; j < 4; j++) w[4 * i + j] = w[4 * (i - words) + j]! ^ t[j]!;
  }
  const keys: Uint8Array[] = [];
  for (let at = 0; at < w.length; at += 16) {
    const round = w.slice(at, at + 16);
    keys.push(round, unmixed(round));
  }
  return keys;
}

/** InvMixColumns, as the equivalent inverse cipher has its keys. */
function unmixed(round: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  for (let column = 0; column < 16; column += 4) {
    for (let row = 0; row < 4; row++) {
      const at = (n: number): number => round[column + ((row + n) % 4)]!;
      out[column + row] = times(at(0), 14) ^ times(at(1), 11) ^ times(at(2), 13) ^ times(at(3), 9);
    }
  }
  return out;
}

function double(a: number): number {
  return ((a << 1) ^ (a & 0x80 ? 0x11b : 0)) & 0xff;
}

function times(a: number, b: number): number {
  let [sum, power] = [0, a];
  for (let bits = b; bits > 0; bits >>= 1) {
    if (bits & 1) sum ^= power;
    power = double(power);
  }
  return sum;
}

function makeSbox(): Uint8Array {
  const box = new Uint8Array(256);
  let [p, q] = [1, 1];
  do {
    p = p ^ double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    const turn = (n: number): number => ((q << n) | (q >>> (8 - n))) & 0xff;
    box[p] = q ^ turn(1) ^ turn(2) ^ turn(3) ^ turn(4) ^ 0x63;
  } while (p !== 1);
  box[0] = 0x63;
  return box;
}
