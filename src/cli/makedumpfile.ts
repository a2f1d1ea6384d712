// `inquest makedumpfile ARGUMENTS...`: makedumpfile's command line (its manual page), so that core_collector in kdump.conf
// and MAKEDUMP_ARGS of kdump-tools take it as they are. What scripts look for is said in makedumpfile's words, and the
// exit status is its own: 0, or 1 when it failed.
import { existsSync, writeFileSync } from 'node:fs';
import { InquestError, messageOf } from '../base/errors.ts';
import { escapeLogLine } from '../base/text.ts';
import type { PageCompression } from '../dump/dump.ts';
import { dumpLevel } from '../kernel/dump_level.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { clearedUpTo, logTimestamp, readLog } from '../kernel/printk.ts';
import type { LogRecord } from '../kernel/printk_record.ts';
import { estimate } from '../save/estimate.ts';
import { FileOutput } from '../save/output.ts';
import { rearrange } from '../save/rearrange.ts';
import type { SavedFiles } from '../save/save_files.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { saveInThread } from './save_job.ts';

/** Bits of --message-level. */
const messages = { progress: 1, common: 2, error: 4, debug: 8, report: 16 } as const;

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
  F: flag('flatten'),
  f: flag('force'),
  g: refused('g', true, 'VMCOREINFO is in the dump, or is found in its memory'),
  h: flag('help'),
  // VMCOREINFO and the debug kernel are not needed: what they tell is in the dump
  i: ignored('i', true),
  L: valued('limit'),
  l: { option: 'compress', name: 'lzo', hasValue: false },
  p: { option: 'compress', name: 'snappy', hasValue: false },
  R: flag('rearrange'),
  v: flag('version'),
  X: refused('X', false, xen),
  x: ignored('x', true),
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
interface Parsed {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly compression: PageCompression;
  readonly files: readonly string[];
}

/** The command line cannot be understood. */
class ParameterError extends Error {}

/** Runs it. @returns the exit status */
export async function runMakedumpfile(words: readonly string[]): Promise<number> {
  let level = 7;
  let isStream = false;
  const say = (bit: number, text: string): void => {
    if ((level & bit) === 0) return;
    if (bit === messages.error || isStream) writeError(text);
    else writeOut(text);
  };
  const failed = (why: string): number => {
    say(messages.error, `${why}\n`);
    say(messages.common, '\nmakedumpfile Failed.\n');
    return 1;
  };
  try {
    const parsed = parseWords(words);
    const { flags, values } = parsed;
    isStream = flags.has('flatten');
    if (values.has('messageLevel')) level = wholeNumber('--message-level', values.get('messageLevel')!, 31);
    if (flags.has('showStats')) level |= messages.report;
    if (flags.has('help')) return help();
    if (flags.has('version')) return versionOf();
    check(parsed);
    if (flags.has('checkParams')) return 0;
    const done = await perform(parsed, (text) => say(messages.report, text), (level & messages.progress) !== 0);
    say(messages.common, `\n${done}\n\nmakedumpfile Completed.\n`);
    return 0;
  } catch (error) {
    if (error instanceof ParameterError) {
      if (error.message !== '') say(messages.error, `${error.message}\n`);
      return failed("Commandline parameter is invalid.\nTry `makedumpfile --help' for more information.");
    }
    if (error instanceof InquestError || error instanceof Error) return failed(messageOf(error));
    throw error;
  }
}

function parseWords(words: readonly string[]): Parsed {
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
        throw new ParameterError(`${given}: ${known.why}`);
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
      if (value === undefined) throw new ParameterError(`${word}: a value is missing`);
      return value;
    };
    if (word === '--') {
      files.push(...words.slice(i + 1));
      break;
    }
    if (word.startsWith('--')) {
      const [name = '', glued] = word.slice(2).split(/=(.*)/s, 2);
      const known = Object.hasOwn(longOptions, name) ? longOptions[name] : undefined;
      if (known === undefined) throw new ParameterError(`${word}: no such option`);
      take(known, `--${name}`, known.hasValue ? next(glued) : null);
    } else if (word.startsWith('-') && word !== '-') {
      for (let j = 1; j < word.length; j++) {
        const letter = word[j]!;
        const known = Object.hasOwn(shortOptions, letter) ? shortOptions[letter] : undefined;
        if (known === undefined) throw new ParameterError(`-${letter}: no such option`);
        const rest = word.slice(j + 1);
        take(known, `-${letter}`, known.hasValue ? next(rest === '' ? undefined : rest) : null);
        if (known.hasValue) break;
      }
    } else files.push(word);
  }
  return { flags, values, compression, files };
}

/** Refuses what makedumpfile refuses: options that do not go together, and the wrong number of files. */
function check({ flags, values, compression, files }: Parsed): void {
  const has = (name: string): boolean => flags.has(name);
  const wrong =
    (has('flatten') && (has('split') || has('rearrange'))) ||
    (has('elf') && (compression !== 'none' || has('split') || values.has('threads'))) ||
    (values.has('threads') && has('split')) ||
    (has('partialDmesg') && !has('dmesg')) ||
    (has('dryRun') && (has('dmesg') || has('reassemble')));
  if (wrong) throw new ParameterError('');
  const [least, most] = has('rearrange')
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
  if (files.length < least || files.length > most) throw new ParameterError('');
}

/** Does what was asked for. @returns what is said of it */
async function perform(parsed: Parsed, report: (text: string) => void, hasProgress: boolean): Promise<string> {
  const { flags, values, files } = parsed;
  const has = (name: string): boolean => flags.has(name);
  if (has('rearrange')) {
    rearrangeTo(files[0]!, has('force'));
    return savedTo(files);
  }
  if (has('memUsage')) {
    writeOut(memoryUsage(openNamedKernel(files)));
    return '';
  }
  if (has('dmesg')) {
    const [source, target] = files as [string, string];
    if (!has('force') && existsSync(target)) throw new Error(`${target}: is there already`);
    const kernel = openNamedKernel([source]);
    const records = readLog(kernel);
    if (records.length === 0) throw new Error(`${source}: no kernel log can be read`);
    const first = has('partialDmesg') ? clearedUpTo(kernel) : 0;
    writeFileSync(target, dmesgText(records.filter(({ seq }) => seq >= first)), { mode: 0o600 });
    return `The dmesg log is saved to ${target}.`;
  }
  if (values.has('vtop')) writeOut(translated(openNamedKernel(files.slice(0, 1)), values.get('vtop')!));
  const sources = has('reassemble') ? files.slice(0, -1) : files.slice(0, 1);
  const targets = has('flatten') ? ['-'] : has('reassemble') ? files.slice(-1) : files.slice(1);
  const saved = await saveInThread(
    {
      kind: 'save',
      erase: { redact: false, rules: values.get('config') ?? null },
      files: sources,
      options: {
        format: has('elf') ? 'elf' : 'kdump',
        compression: has('reassemble') ? await compressionOf(sources) : parsed.compression,
        levels: (values.get('level') ?? '0').split(',').map((word) => dumpLevelOf(word)),
        targets,
        flattened: false,
        overwrite: has('force'),
        underOwnName: true,
        dryRun: has('dryRun'),
        threads: Math.max(1, wholeNumber('--num-threads', values.get('threads') ?? '0', 1024)),
        ...(values.has('limit') ? { limit: wholeNumber('-L', values.get('limit')!, Number.MAX_SAFE_INTEGER) } : {}),
      },
    },
    hasProgress ? 'terminal' : 'never',
  );
  report(statistics(saved));
  if (saved.lost > 0) throw new Error(`${saved.lost} pages could not be read`);
  return has('flatten') ? savedTo(['STDOUT']) : savedTo(targets);
}

function savedTo(files: readonly string[]): string {
  if (files.length === 1) return `The dumpfile is saved to ${files[0]}.`;
  return `The dumpfiles are saved to ${files.slice(0, -1).join(', ')}, and ${files.at(-1)}.`;
}

async function compressionOf(files: readonly string[]): Promise<PageCompression> {
  const { openDump } = await import('../dump/open.ts');
  const dump = openDump(files);
  try {
    return dump.info.compression;
  } finally {
    dump.close();
  }
}

function dumpLevelOf(word: string): number {
  if (!/^\d+$/.test(word) || Number(word) > 31) throw new Error(`Dump_level(${word}) is invalid.`);
  return Number(word);
}

function wholeNumber(option: string, word: string, most: number): number {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(word) || Number(word) > most)
    throw new ParameterError(`${option} ${word}: no such number`);
  return Number(word);
}

function rearrangeTo(target: string, overwrite: boolean): void {
  if (!overwrite && existsSync(target)) throw new Error(`${target}: is there already`);
  const output = new FileOutput(target);
  try {
    rearrange(0, output);
    output.finish();
  } finally {
    output.close();
  }
}

/** The log as `--dump-dmesg` writes it: time, who printed it, and further lines of a message below its text. */
function dmesgText(records: readonly LogRecord[]): string {
  return records
    .map(({ timestampNs, caller, text }) => {
      const who = caller === null ? '' : `[${`${caller.kind === 'cpu' ? 'C' : 'T'}${caller.id}`.padStart(8)}] `;
      const head = `${logTimestamp(timestampNs ?? 0n)} ${who}`;
      return `${head}${text
        .split('\n')
        .map(escapeLogLine)
        .join(`\n${' '.repeat(head.length)}`)}\n`;
    })
    .join('');
}

function translated(kernel: Kernel, word: string): string {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(word)) throw new ParameterError(`--vtop ${word}: no such address`);
  const address = BigInt(`0x${word.replace(/^0x/i, '')}`);
  const physical = kernel.space.translate(address as Parameters<typeof kernel.space.translate>[0]);
  const digits = address.toString(16);
  return `\nTranslating virtual address ${digits} to physical address.\nVIRTUAL           PHYSICAL\n${digits.padStart(16)}  ${physical.toString(16)}\n`;
}

const hex16 = (value: number): string => `0x${value.toString(16).padStart(16, '0')}`;

/** The summary of --show-stats. */
function statistics({ ram, pages, dropped, zero, maxPfn, written }: SavedFiles): string {
  const of = (...kinds: Parameters<typeof dropped.get>[0][]): number =>
    kinds.reduce((sum, kind) => sum + (dropped.get(kind) ?? 0), 0);
  const excluded = zero + [...dropped.values()].reduce((sum, count) => sum + count, 0);
  const rows = [
    ['Original pages  : ', pages],
    ['  Excluded pages   : ', excluded],
    ['    Pages filled with zero  : ', zero],
    ['    Non-private cache pages : ', of('cache')],
    ['    Private cache pages     : ', of('private cache')],
    ['    User process data pages : ', of('anonymous', 'hugetlb')],
    ['    Free pages              : ', of('free')],
    ['    Hwpoison pages          : ', of('poisoned')],
    ['    Offline pages           : ', of('offline', 'unaccepted')],
    ['  Remaining pages  : ', pages - excluded],
  ] as const;
  return [
    '',
    ...rows.map(([title, count]) => `${title}${hex16(count)}`),
    `  (The number of pages is reduced to ${Math.floor((100 * (pages - excluded)) / Math.max(1, pages))}%.)`,
    `Memory Hole     : ${hex16(maxPfn - ram)}`,
    '--------------------------------------------------',
    `Total pages     : ${hex16(maxPfn)}`,
    `Write bytes     : ${written}`,
    '',
  ].join('\n');
}

/** The table of --mem-usage. */
function memoryUsage(kernel: Kernel): string {
  const { kinds, pageSize } = estimate(kernel, 'none');
  let [zero, cache, privateCache, user, free, rest] = [0, 0, 0, 0, 0, 0];
  let all = 0;
  for (const { kind, private: hasPrivate, poisoned, pages, zeroes } of kinds) {
    if (poisoned || kind === 'offline' || kind === 'unaccepted') continue;
    all += pages;
    const empty = kind === 'free' ? 0 : Math.round(pages * zeroes);
    const full = pages - empty;
    zero += empty;
    if (kind === 'free') free += full;
    else if (kind === 'cache' && hasPrivate) privateCache += full;
    else if (kind === 'cache') cache += full;
    else if (kind === 'anonymous' || kind === 'hugetlb') user += full;
    else rest += full;
  }
  const row = (type: string, pages: number, excludable: string, meaning: string) =>
    `${type}\t\t${String(pages).padEnd(16)}\t${excludable}\t\t${meaning}\n`;
  return [
    '\nTYPE\t\tPAGES\t\t\tEXCLUDABLE\tDESCRIPTION\n',
    '----------------------------------------------------------------------\n',
    row('ZERO', zero, 'yes', 'Pages filled with zero'),
    row('NON_PRI_CACHE', cache, 'yes', 'Cache pages without private flag').replace('\t\t', '\t'),
    row('PRI_CACHE', privateCache, 'yes', 'Cache pages with private flag').replace('\t\t', '\t'),
    row('USER', user, 'yes', 'User process pages'),
    row('FREE', free, 'yes', 'Free pages'),
    row('KERN_DATA', rest, 'no', 'Dumpable kernel data').replace('\t\t', '\t'),
    `\npage size:\t\t${pageSize}\nTotal pages on system:\t${all}\nTotal size on system:\t${String(all * pageSize).padEnd(16)} Byte\n`,
  ].join('');
}

function versionOf(): number {
  writeOut('inquest makedumpfile\nlzo\tenabled\nsnappy\tenabled\nzstd\tenabled\n');
  return 0;
}

function help(): number {
  writeOut(`inquest makedumpfile: takes makedumpfile's command line

  [-c|-l|-p|-z|-E] [-d LEVEL[,LEVEL]] [-f] VMCORE DUMPFILE     zlib, lzo, snappy, zstd, or an ELF core
  -F [...] VMCORE                                              a flattened stream to standard output
  -R DUMPFILE                                                  such a stream, from standard input, put in order
  --split [...] VMCORE DUMPFILE1 DUMPFILE2 [DUMPFILE3...]
  --reassemble DUMPFILE1 DUMPFILE2 [...] DUMPFILE
  --dump-dmesg [--partial-dmesg] VMCORE LOGFILE
  --mem-usage VMCORE

  --num-threads N, -L SIZE, --dry-run, --show-stats, --message-level N, --check-params, --vtop ADDRESS, -v, -h
  -b, -D, -i, -x, --cyclic-buffer, --non-mmap, --splitblock-size, --work-dir: taken, and not needed
  ${Object.entries(dumpLevel)
    .map(([name, bit]) => `${bit} ${name}`)
    .join(', ')}: bits of LEVEL
`);
  return 0;
}
