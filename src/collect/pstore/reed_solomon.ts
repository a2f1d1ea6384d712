// The Reed-Solomon code with which ramoops protects its buffers: symbols of 8 bits, field polynomial 0x11d, roots from
// alpha^0 on (lib/reed_solomon of the kernel; fs/pstore/ram_core.c: persistent_ram_init_ecc()). Systematic and shortened:
// the message stands as it is, followed by as many parity bytes as the code has roots; half as many wrong bytes are
// corrected.

const size = 255;
const exp = new Uint8Array(2 * size);
const log = new Uint8Array(256);
for (let i = 0, value = 1; i < size; i++) {
  exp[i] = value;
  exp[i + size] = value;
  log[value] = i;
  value <<= 1;
  if (value > 255) value ^= 0x11d;
}

const multiply = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!);
const power = (exponent: number): number => exp[((exponent % size) + size) % size]!;

/** The polynomial whose roots the code has, lowest degree first. */
function generator(roots: number): Uint8Array {
  const poly = new Uint8Array(roots + 1);
  poly[0] = 1;
  for (let root = 0; root < roots; root++) {
    for (let j = root + 1; j > 0; j--) poly[j] = poly[j - 1]! ^ multiply(poly[j]!, power(root));
    poly[0] = multiply(poly[0]!, power(root));
  }
  return poly;
}

/** The parity bytes of a message of at most 255 - roots bytes. */
export function parityOf(message: Uint8Array, roots: number): Uint8Array {
  const poly = generator(roots);
  const parity = new Uint8Array(roots);
  for (const byte of message) {
    const feedback = byte ^ parity[0]!;
    parity.copyWithin(0, 1);
    parity[roots - 1] = 0;
    if (feedback !== 0)
      for (let j = 0; j < roots; j++) parity[j] = parity[j]! ^ multiply(feedback, poly[roots - 1 - j]!);
  }
  return parity;
}

/**
 * Puts wrong bytes of message and parity right, in place.
 * @returns how many there were; null: too many to tell, and nothing was changed
 */
export function correct(message: Uint8Array, parity: Uint8Array): number | null {
  const roots = parity.length;
  const length = message.length + roots;
  if (length > size) return null;
  const at = (i: number): number => (i < message.length ? message[i]! : parity[i - message.length]!);
  const syndromes = new Uint8Array(roots);
  for (let root = 0; root < roots; root++) {
    let sum = 0;
    for (let i = 0; i < length; i++) sum = multiply(sum, power(root)) ^ at(i);
    syndromes[root] = sum;
  }
  if (syndromes.every((syndrome) => syndrome === 0)) return 0;
  const locator = errorLocator(syndromes);
  const errors = locator.length - 1;
  if (errors * 2 > roots) return null;
  // an error at degree d makes alpha^-d a root of the locator
  const places: number[] = [];
  for (let degree = 0; degree < length; degree++) if (evaluate(locator, power(-degree)) === 0) places.push(degree);
  if (places.length !== errors) return null;
  const evaluator = product(syndromes, locator, roots);
  const fixes = places.map((degree) => {
    const inverse = power(-degree);
    // the derivative has the odd terms, a degree lower
    let derivative = 0;
    for (let j = 1; j < locator.length; j += 2) derivative ^= multiply(locator[j]!, power(-degree * (j - 1)));
    if (derivative === 0) return null;
    // roots begin at alpha^0, hence the factor alpha^degree
    const value = multiply(evaluate(evaluator, inverse), power(degree));
    return { index: length - 1 - degree, value: value === 0 ? 0 : exp[log[value]! + size - log[derivative]!]! };
  });
  if (fixes.some((fix) => fix === null || fix.value === 0)) return null;
  for (const fix of fixes) {
    const { index, value } = fix!;
    if (index < message.length) message[index] = message[index]! ^ value;
    else parity[index - message.length] = parity[index - message.length]! ^ value;
  }
  return errors;
}

/** Berlekamp and Massey's algorithm: the shortest polynomial that generates the syndromes, lowest degree first. */
function errorLocator(syndromes: Uint8Array): number[] {
  let current = [1];
  let previous = [1];
  let errors = 0;
  let gap = 1;
  let last = 1;
  for (let n = 0; n < syndromes.length; n++) {
    let discrepancy = syndromes[n]!;
    for (let i = 1; i <= errors; i++) discrepancy ^= multiply(current[i] ?? 0, syndromes[n - i]!);
    if (discrepancy === 0) {
      gap++;
      continue;
    }
    const scale = exp[log[discrepancy]! + size - log[last]!]!;
    const next = [...current];
    for (const [i, value] of previous.entries()) next[i + gap] = (next[i + gap] ?? 0) ^ multiply(scale, value);
    for (let i = 0; i < next.length; i++) next[i] ??= 0;
    if (2 * errors <= n) {
      errors = n + 1 - errors;
      previous = current;
      last = discrepancy;
      gap = 1;
    } else gap++;
    current = next;
  }
  while (current.length > 1 && current.at(-1) === 0) current.pop();
  return current;
}

function evaluate(poly: ArrayLike<number>, x: number): number {
  let value = 0;
  for (let i = poly.length - 1; i >= 0; i--) value = multiply(value, x) ^ poly[i]!;
  return value;
}

/** The product of two polynomials, terms below `terms`. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, terms: number): Uint8Array {
  const out = new Uint8Array(terms);
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length && i + j < terms; j++) out[i + j] = out[i + j]! ^ multiply(a[i]!, b[j]!);
  return out;
}
