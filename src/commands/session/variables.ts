// The variables of `set`: those of crash(8), so that notes and .crashrc files of its users work as they are.
import { UsageError } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';

/** What a variable may be set to. */
type Rule =
  | { readonly kind: 'switch' }
  | { readonly kind: 'choice'; readonly words: readonly string[] }
  /** A whole number; `words` stand for 0 or no limit. */
  | { readonly kind: 'number'; readonly min: number }
  | { readonly kind: 'text' }
  /** Shown, never changed. */
  | { readonly kind: 'fixed' };

/** What `console` is at the start. */
export const unassigned = '(not assigned)';

interface Variable {
  readonly name: string;
  readonly start: string;
  readonly rule: Rule;
  /** As `set -v` shows it; without it, as it is. */
  readonly show?: (value: string) => string;
}

const on: Rule = { kind: 'switch' };

/** In the order of `set -v`. Those without an effect here are kept, since scripts set them. */
const table: readonly Variable[] = [
  {
    name: 'scroll',
    start: 'off',
    rule: { kind: 'choice', words: ['on', 'off', 'less', 'more', 'CRASHPAGER'] },
    show: scrollText,
  },
  {
    name: 'radix',
    start: '10',
    rule: { kind: 'choice', words: ['10', '16', 'dec', 'hex', 'decimal', 'hexadecimal'] },
    show: radixText,
  },
  { name: 'refresh', start: 'on', rule: on },
  { name: 'print_max', start: '256', rule: { kind: 'number', min: 0 } },
  { name: 'print_array', start: 'off', rule: on },
  { name: 'console', start: unassigned, rule: { kind: 'text' } },
  { name: 'debug', start: '0', rule: { kind: 'number', min: 0 } },
  { name: 'core', start: 'off', rule: on },
  { name: 'hash', start: 'on', rule: on },
  { name: 'silent', start: 'off', rule: on },
  { name: 'edit', start: 'vi', rule: { kind: 'choice', words: ['vi', 'emacs'] } },
  { name: 'namelist', start: '', rule: { kind: 'fixed' } },
  { name: 'dumpfile', start: '', rule: { kind: 'fixed' } },
  { name: 'unwind', start: 'off', rule: on },
  { name: 'zero_excluded', start: 'off', rule: on },
  { name: 'null-stop', start: 'off', rule: on },
  { name: 'gdb', start: 'off', rule: on },
  { name: 'scope', start: '0 (not set)', rule: { kind: 'text' } },
  { name: 'offline', start: 'show', rule: { kind: 'choice', words: ['show', 'hide'] } },
  { name: 'redzone', start: 'on', rule: on },
  { name: 'error', start: 'default', rule: { kind: 'text' } },
];

const names: ReadonlyMap<string, Variable> = new Map(table.map((variable) => [variable.name, variable]));

/** The values of one session. */
export class SessionVariables {
  private readonly values = new Map(table.map(({ name, start }) => [name, start]));

  /** True for a name that `set` takes for a variable. */
  has(name: string): boolean {
    return names.has(name);
  }

  get(name: string): string {
    return this.values.get(name) ?? '';
  }

  /** @throws UsageError for a value that it cannot have */
  set(name: string, value: string): void {
    const variable = names.get(name);
    if (variable === undefined) throw new UsageError(`no such variable: ${escapeLine(name)}`);
    this.values.set(name, accepted(variable, value));
  }

  /** For what the session itself knows: file names. */
  assign(name: 'namelist' | 'dumpfile' | 'scroll' | 'silent', value: string): void {
    this.values.set(name, value);
  }

  /** As `set -v` shows them. */
  shown(only: string | null = null): { readonly name: string; readonly value: string }[] {
    return table
      .filter(({ name }) => (only === null ? name !== 'namelist' || this.get(name) !== '' : name === only))
      .map(({ name, show }) => ({ name, value: (show ?? ((value: string) => value))(this.get(name)) }));
  }
}

function accepted({ name, rule }: Variable, value: string): string {
  const refuse = (wanted: string): UsageError => new UsageError(`${name} is ${wanted}, not ${escapeLine(value)}`);
  switch (rule.kind) {
    case 'switch':
      if (/^(on|1|yes)$/.test(value)) return 'on';
      if (/^(off|0|no)$/.test(value)) return 'off';
      throw refuse('on or off');
    case 'choice':
      if (!rule.words.includes(value)) throw refuse(`one of ${rule.words.join(', ')}`);
      return value;
    case 'number':
      if (value === 'default') return names.get(name)!.start;
      if (!/^(0x[0-9a-f]{1,8}|\d{1,9})$/i.test(value) || Number(value) < rule.min) throw refuse('a number');
      return String(Number(value));
    case 'text':
      return value;
    case 'fixed':
      throw new UsageError(`${name} cannot be changed`);
  }
}

function radixText(value: string): string {
  return /^(16|hex)/.test(value) ? '16 (hex)' : '10 (decimal)';
}

function scrollText(value: string): string {
  return value === 'off' ? 'off (none)' : value === 'on' ? 'on (less)' : `on (${value})`;
}
