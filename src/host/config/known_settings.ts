// Checks of settings against a table of those that a file may have.
import type { ParsedFile, Remark, Setting } from './assignments.ts';

/** A setting that a file may have. */
export interface Known {
  readonly name: string;
  /** What its values look like; without: anything. */
  readonly values?: RegExp;
  /** The same in words. */
  readonly says?: string;
  /** Why it is refused: it was taken out. */
  readonly removed?: string;
  /** What stands in its place: still taken. */
  readonly deprecated?: string;
}

export const yesNo = { values: /^(yes|no)$/i, says: 'yes or no' };
export const zeroOne = { values: /^[01]$/, says: '0 or 1' };
/** As SUSE's scripts take them. */
export const boolean = { values: /^(yes|no|true|false|0|1|on|off)?$/i, says: 'yes or no' };
export const wholeNumber = { values: /^\d{1,9}$/, says: 'a whole number' };

/** What is wrong with the settings of a file, by its table: unknown, removed, repeated, of a wrong value. */
export function checkSettings(
  { settings, remarks }: ParsedFile,
  known: readonly Known[],
  repeatIs: Remark['severity'],
): Remark[] {
  const found: Remark[] = [...remarks];
  const first = new Map<string, number>();
  for (const { name, value, line } of settings) {
    const rule = known.find((one) => one.name === name);
    const before = first.get(name);
    const say = (severity: Remark['severity'], text: string): void => void found.push({ severity, line, text });
    if (rule === undefined) say('error', `${name} is no setting of this file${nearest(name, known)}`);
    else if (rule.removed !== undefined) say('error', `${name} was removed: ${rule.removed}`);
    else {
      if (rule.deprecated !== undefined) say('warning', `${name} is deprecated: ${rule.deprecated}`);
      if (rule.values !== undefined && value !== '' && !rule.values.test(value))
        say('error', `${name} is ${rule.says}, not ${value}`);
    }
    if (before !== undefined) {
      say(
        repeatIs,
        `${name} is set a second time, after line ${before}${repeatIs === 'error' ? '' : ': the last one counts'}`,
      );
    } else first.set(name, line);
  }
  return found.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** A known name that differs by case, or by one letter. */
function nearest(name: string, known: readonly Known[]): string {
  const like = known.find((one) => one.removed === undefined && isLike(one.name.toLowerCase(), name.toLowerCase()));
  return like === undefined ? '' : `; perhaps ${like.name}`;
}

function isLike(a: string, b: string): boolean {
  if (a === b) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const rest = (text: string, skip: number): string => text.slice(i + skip);
  return rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1);
}

/** The value that counts: the last. Null where it is not set, or empty. */
export function settingValue(settings: readonly Setting[], name: string): string | null {
  const value = settings.findLast((one) => one.name === name)?.value ?? '';
  return value === '' ? null : value;
}

/** The line on which a setting stands; null if it does not. */
export function lineOf(settings: readonly Setting[], name: string): number | null {
  return settings.findLast((one) => one.name === name)?.line ?? null;
}
