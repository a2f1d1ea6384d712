// Makes the bundle fit to be looked at by whoever meets an error in it: Node shows the line of code from which an error came
// that nobody caught, and lines of a minified file are as long as the file.
//
// - Lines are folded where a line of source begins.
// - Source maps keep the line of each statement and no more: columns and names, which stack traces can do without, are four
//   fifths of them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const digitValue = new Map([...digits].map((digit, value) => [digit, value]));

/** Length from which a line is folded. */
const longLine = 200;
/** Characters behind which a token may as well stand on the next line, whatever they are part of. */
const foldable = ';,{(';

/** Folds every file of code below a folder that has a map. */
export function foldLines(folder) {
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!file.endsWith('.js.map')) continue;
    const mapPath = join(folder, file);
    const codePath = mapPath.slice(0, -'.map'.length);
    const map = JSON.parse(readFileSync(mapPath, 'utf8'));
    const folded = fold(readFileSync(codePath, 'utf8'), map.mappings);
    writeFileSync(codePath, folded.code);
    writeFileSync(mapPath, JSON.stringify({ ...map, names: [], mappings: folded.mappings }));
  }
}

function fold(code, mappings) {
  // source and line are told as differences from the segment before, over all of the text; the column, from that of its line
  let [source, line] = [0, 0];
  let [keptSource, keptLine] = [0, 0];
  const lines = [];
  const maps = [];
  const segmentLines = mappings.split(';');
  for (const [i, text] of code.split('\n').entries()) {
    let [column, keptColumn, start] = [0, 0, 0];
    let last = '';
    let kept = [];
    for (const segment of segmentLines[i] ? segmentLines[i].split(',') : []) {
      const [columnStep, sourceStep, lineStep] = decode(segment);
      column += columnStep;
      if (sourceStep === undefined) continue;
      source += sourceStep;
      line += lineStep;
      const place = `${source}:${line}`;
      if (place === last) continue;
      last = place;
      if (column - start > longLine && foldable.includes(text[column - 1])) {
        lines.push(text.slice(start, column));
        maps.push(kept.join(','));
        [start, keptColumn, kept] = [column, 0, []];
      }
      kept.push([column - start - keptColumn, source - keptSource, line - keptLine, 0].map(encode).join(''));
      [keptColumn, keptSource, keptLine] = [column - start, source, line];
    }
    lines.push(text.slice(start));
    maps.push(kept.join(','));
  }
  return { code: lines.join('\n'), mappings: maps.join(';') };
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
