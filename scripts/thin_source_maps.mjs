// Source maps with the line of each statement and no more: columns and names, which stack traces can do without, are four
// fifths of them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const digitValue = new Map([...digits].map((digit, value) => [digit, value]));

/** Thins every map below a folder. */
export function thinSourceMaps(folder) {
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!file.endsWith('.js.map')) continue;
    const path = join(folder, file);
    const map = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...map, names: [], mappings: thin(map.mappings) }));
  }
}

/** The segments at which another line of source begins, each without its column. */
function thin(mappings) {
  // source and line are told as differences from the segment before, over all of the text; the column, from that of its line
  let [source, line] = [0, 0];
  let [keptSource, keptLine] = [0, 0];
  return mappings
    .split(';')
    .map((segments) => {
      let [column, keptColumn] = [0, 0];
      let last = '';
      const kept = [];
      for (const segment of segments === '' ? [] : segments.split(',')) {
        const [columnStep, sourceStep, lineStep] = decode(segment);
        column += columnStep;
        if (sourceStep === undefined) continue;
        source += sourceStep;
        line += lineStep;
        const place = `${source}:${line}`;
        if (place === last) continue;
        last = place;
        kept.push([column - keptColumn, source - keptSource, line - keptLine, 0].map(encode).join(''));
        [keptColumn, keptSource, keptLine] = [column, source, line];
      }
      return kept.join(',');
    })
    .join(';');
}

/** Base 64 VLQ: five bits a digit, lowest first, the sixth where more follow; the lowest bit of all is the sign. */
function decode(text) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const digit of text) {
    const bits = digitValue.get(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

function encode(number) {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = '';
  do {
    const more = rest > 31;
    text += digits[(rest & 31) | (more ? 32 : 0)];
    rest >>= 5;
  } while (rest > 0);
  return text;
}
