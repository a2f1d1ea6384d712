// makedumpfile's command line (its manual page): which options there are, and which go together.
import type { PageCompression } from '../dump/dump.ts';

/** What an option is for. */
type Option =
  | 'compress'
  | 'flag'
  /** Taken, and without effect here. */
  | 'ignored'
  | 'refused';

interface Known {
  readonly option: Option;
  readonly name: string;
  readonly hasValue: boolean;
  /** Why it is refused. */
  readonly why?: string;
}

const flag = (name: string): Known => ({ option: 'flag', name, hasValue: false });
const valued = (name: string): Known => ({ option: 'flag', name, hasValue: true });
const ignored = (name: string, hasValue: boolean): Known => ({ option: 'ignored', name, hasValue });
const refused = (name: string, hasValue: boolean, why: string): Known => ({ option: 'refused', name, hasValue, why });

const xen = "dumps of Xen's hypervisor are not read";
const shortOptions: Readonly<Record<string, Known>> = {
  b: ignored('b', true),
  c: { option: 'compress', name: 'zlib', hasValue: false },
  D: ignored('D', false),
  d: valued('level'),
  E: flag('elf'),
  e: flag('leavesMap'),
  F: flag('flatten'),
  f: flag('force'),
  g: valued('generate'),
  h: flag('help'),
  i: valued('vmcoreinfo'),
  L: valued('limit'),
  l: { option: 'compress', name: 'lzo', hasValue: false },
  p: { option: 'compress', name: 'snappy', hasValue: false },
  R: flag('rearrange'),
  v: flag('version'),
  X: refused('X', false, xen),
  // not needed to save: what it tells is in the dump
  x: valued('vmlinux'),
  z: { option: 'compress', name: 'zstd', hasValue: false },
};

const longOptions: Readonly<Record<string, Known>> = {
  'check-params': flag('checkParams'),
  config: valued('config'),
  'cyclic-buffer': ignored('cyclic-buffer', true),
  diskset: refused('diskset', true, 'sadump is not read'),
  'dry-run': flag('dryRun'),
  'dump-dmesg': flag('dmesg'),
  eppic: refused('eppic', true, 'erase scripts are not run'),
  help: flag('help'),
  'mem-usage': flag('memUsage'),
  'message-level': valued('messageLevel'),
  'non-cyclic': ignored('non-cyclic', false),
  'non-mmap': ignored('non-mmap', false),
  'num-threads': valued('threads'),
  'partial-dmesg': flag('partialDmesg'),
  reassemble: flag('reassemble'),
  'show-stats': flag('showStats'),
  split: flag('split'),
  'splitblock-size': ignored('splitblock-size', true),
  vtop: valued('vtop'),
  'work-dir': ignored('work-dir', true),
  'xen-syms': refused('xen-syms', true, xen),
  'xen-vmcoreinfo': refused('xen-vmcoreinfo', true, xen),
  xen_phys_start: refused('xen_phys_start', true, xen),
};

/** A command line that was understood. */
export interface Parsed {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly compression: PageCompression;
  readonly files: readonly string[];
}

/** The command line cannot be understood. */
export class ParameterError extends Error {}

const advice = "Commandline parameter is invalid.\nTry `makedumpfile --help' for more information.";

/** @throws ParameterError */
export function parseWords(words: readonly string[]): Parsed {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const files: string[] = [];
  let compression: PageCompression = 'none';
  const take = (known: Known, given: string, value: string | null): void => {
    switch (known.option) {
      case 'compress':
        compression = known.name as PageCompression;
        break;
      case 'refused':
        throw new ParameterError(`${given}: ${known.why}\n${advice}`);
      case 'ignored':
        break;
      case 'flag':
        if (value !== null) values.set(known.name, value);
        else flags.add(known.name);
        break;
    }
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const next = (glued: string | undefined): string => {
      const value = glued ?? words[++i];
      if (value === undefined) throw new ParameterError(`${word}: a value is missing\n${advice}`);
      return value;
    };
    if (word === '--') {
      files.push(...words.slice(i + 1));
      break;
    }
    if (word.startsWith('--')) {
      const [name = '', glued] = word.slice(2).split(/=(.*)/s, 2);
      const known = Object.hasOwn(longOptions, name) ? longOptions[name] : undefined;
      if (known === undefined) throw new ParameterError(`${word}: no such option\n${advice}`);
      take(known, `--${name}`, known.hasValue ? next(glued) : null);
    } else if (word.startsWith('-') && word !== '-') {
      for (let j = 1; j < word.length; j++) {
        const letter = word[j]!;
        const known = Object.hasOwn(shortOptions, letter) ? shortOptions[letter] : undefined;
        if (known === undefined) throw new ParameterError(`-${letter}: no such option\n${advice}`);
        const rest = word.slice(j + 1);
        take(known, `-${letter}`, known.hasValue ? next(rest === '' ? undefined : rest) : null);
        if (known.hasValue) break;
      }
    } else files.push(word);
  }
  return { flags, values, compression, files };
}

/** Refuses what makedumpfile refuses: options that do not go together, and the wrong number of files. */
export function check({ flags, values, compression, files }: Parsed): void {
  const has = (name: string): boolean => flags.has(name);
  const wrong =
    (has('flatten') && (has('split') || has('rearrange'))) ||
    (has('elf') && (compression !== 'none' || has('split') || values.has('threads'))) ||
    (values.has('threads') && has('split')) ||
    (has('partialDmesg') && !has('dmesg')) ||
    (has('dryRun') && (has('dmesg') || has('reassemble') || values.has('generate'))) ||
    (values.has('generate') && !values.has('vmlinux'));
  if (wrong) throw new ParameterError(advice);
  const [least, most] = values.has('generate')
    ? [0, 0]
    : has('rearrange')
      ? [1, 1]
      : has('memUsage')
        ? [1, 1]
        : has('dmesg')
          ? [2, 2]
          : has('split') || has('reassemble')
            ? [3, 64]
            : has('flatten')
              ? [1, 1]
              : [2, 2];
  if (files.length < least || files.length > most) throw new ParameterError(advice);
}

/** @throws ParameterError */
export function dumpLevelOf(word: string): number {
  if (!/^\d+$/.test(word) || Number(word) > 31) throw new ParameterError(`Dump_level(${word}) is invalid.`);
  return Number(word);
}

export function wholeNumber(option: string, word: string, most: number): number {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(word) || Number(word) > most)
    throw new ParameterError(`${option} ${word}: no such number\n${advice}`);
  return Number(word);
}
