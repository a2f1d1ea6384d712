// The grammar of the lines with which the kernel announces that something is wrong. What one rule does not fix is left to the
// rules after it, down to `BUG: anything`. Wordings are those of Linux 4.4 to 7.3, and older ones.
import { firstCharacters } from '../first_characters.ts';
import { dieHeadline, isLabel } from './die_line.ts';
import { hangRules } from './hangs.ts';
import { hardwareRules } from './hardware.ts';
import type { Headline, Rule } from './headline.ts';
import { kernelCheckRules } from './kernel_checks.ts';
import { lockingRules } from './locking.ts';
import { machineRules } from './machine.ts';
import { memoryRules } from './memory.ts';
import { memoryAccessRules } from './memory_access.ts';
import { panicHeadline } from './panic_line.ts';
import { sanitizerRules } from './sanitizers.ts';

/** The first that matches counts. */
const rules: readonly Rule[] = [
  ...sanitizerRules,
  ...memoryAccessRules,
  ...kernelCheckRules,
  ...lockingRules,
  ...hangRules,
  ...memoryRules,
  ...hardwareRules,
  ...machineRules,
];

const dieLine = /^(.{1,240}?)\s?\[#(\d{1,6})\](?:[\s:]|$)/;
const panicLine = /^Kernel panic(?: - not syncing)?(?:: ?(.{0,400}))?$/;

/** The rules that a line can match, by its first character; made when a line first begins with it. */
const rulesByFirst: (readonly Rule[] | undefined)[] = [];
let firsts: readonly (ReadonlySet<string> | null)[] | null = null;

function rulesFor(code: number): readonly Rule[] {
  firsts ??= rules.map(({ pattern }) => firstCharacters(pattern.source));
  const first = String.fromCharCode(code);
  const found = rules.filter(({ pattern }, n) => {
    const any = pattern.ignoreCase ? [first.toLowerCase(), first.toUpperCase()] : [first];
    return any.some((one) => firsts?.[n]?.has(one) !== false);
  });
  rulesByFirst[code] = found;
  return found;
}

/** A log that announces much announces most of it again and again. */
const knownHeadlines = new Map<string, Readonly<Headline> | undefined>();
const maxKnown = 4096;

/** What a message announces; undefined for the great many that announce nothing. */
export function parseHeadline(text: string): Readonly<Headline> | undefined {
  const known = knownHeadlines.get(text);
  if (known !== undefined || knownHeadlines.has(text)) return known;
  const headline = readHeadline(text);
  if (knownHeadlines.size >= maxKnown) knownHeadlines.clear();
  knownHeadlines.set(text, headline);
  return headline;
}

function readHeadline(text: string): Headline | undefined {
  const c = text.charCodeAt(0);
  if (c === 0x20 || c === 0x09 || Number.isNaN(c)) return undefined;
  const panic = c === 0x4b /* K */ ? panicLine.exec(text) : null;
  if (panic !== null) return panicHeadline((panic[1] ?? '').trim());
  const code = c < 128 ? c : 0;
  for (const rule of rulesByFirst[code] ?? rulesFor(code)) {
    const m = rule.pattern.exec(text);
    if (m === null) continue;
    const made = rule.make(m);
    const headline: Headline = { role: 'start', strong: true, ...made };
    const die = dieLine.exec(text);
    if (die !== null) headline.dieCount = Number(die[2]);
    return headline;
  }
  const die = text.includes('[#') ? dieLine.exec(text) : null;
  if (die !== null && /^[A-Za-z]/.test(text) && isLabel(die[1]!)) return dieHeadline(die[1]!, Number(die[2]));
  const generic = /^(?:\[ )?BUG: (\S.{0,200})$/.exec(text);
  if (generic !== null)
    return { kind: 'BUG', role: 'start', title: `BUG: ${generic[1]!.replace(/ \]$/, '')} in %F`, strong: false };
  const warning = /^WARNING: (\S.{0,200})$/.exec(text);
  if (warning !== null) return { kind: 'WARN', role: 'start', title: `WARNING: ${warning[1]}`, strong: false };
  const stuck = /^INFO: task (.{1,64}?):(\d{1,10}) can't die for more than \d{1,9} seconds/.exec(text);
  if (stuck !== null) {
    return {
      kind: 'hung-task',
      role: 'start',
      title: "INFO: task can't die in %F",
      strong: true,
      comm: stuck[1]!,
      pid: Number(stuck[2]),
    };
  }
  const internal = /^Internal error: (.{1,160})$/.exec(text);
  if (internal !== null) return { ...dieHeadline(text, undefined), strong: false };
  return undefined;
}
