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
import { check, dumpLevelOf, ParameterError, type Parsed, parseWords, wholeNumber } from './makedumpfile_options.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { runSaveJob } from './save_job.ts';

/** Bits of --message-level. */
const messages = { progress: 1, common: 2, error: 4, debug: 8, report: 16 } as const;

/** Runs it. @returns the exit status */
export async function runMakedumpfile(words: readonly string[]): Promise<number> {
  let level = 7;
  // then what it says goes to standard error, of wrong words too
  const isStream = words.some((word) => /^-[a-z]*F/i.test(word) && !word.startsWith('--'));
  const say = (bit: number, text: string): void => {
    if ((level & bit) === 0) return;
    if (bit === messages.error || isStream) writeError(text);
    else writeOut(text);
  };
  const failed = (why: string | null): number => {
    if (why !== null) say(messages.error, `${why}\n`);
    say(messages.common, '\nmakedumpfile Failed.\n');
    return 1;
  };
  try {
    const parsed = parseWords(words);
    const { flags, values } = parsed;
    if (values.has('messageLevel')) level = messageLevelOf(values.get('messageLevel')!);
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
      say(messages.common, `${error.message}\n`);
      return failed(null);
    }
    if (error instanceof InquestError || error instanceof Error) return failed(messageOf(error));
    throw error;
  }
}

/** Does what was asked for. @returns what is said of it */
async function perform(parsed: Parsed, report: (text: string) => void, hasProgress: boolean): Promise<string> {
  const { flags, values, files } = parsed;
  const has = (name: string): boolean => flags.has(name);
  for (const name of ['vmlinux', 'vmcoreinfo']) {
    if (values.has(name) && !existsSync(values.get(name)!)) throw new Error(`${values.get(name)}: no such file`);
  }
  const generate = values.get('generate');
  if (generate !== undefined) {
    if (!has('force') && existsSync(generate)) throw new Error(`${generate}: is there already`);
    const { vmcoreinfoOf } = await import('../save/vmcoreinfo_file.ts');
    writeFileSync(generate, vmcoreinfoOf(values.get('vmlinux')!), { mode: 0o600 });
    return `The vmcoreinfo is saved to ${generate}.`;
  }
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
  const saved = await runSaveJob(
    {
      kind: 'save',
      erase: { redact: false, rules: values.get('config') ?? null },
      files: sources,
      vmcoreinfo: values.get('vmcoreinfo') ?? null,
      options: {
        leavesMap: has('leavesMap'),
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

/** @throws ParameterError */
function messageLevelOf(word: string): number {
  if (!/^\d+$/.test(word) || Number(word) > 31) throw new ParameterError(`Message_level(${word}) is invalid.`);
  return Number(word);
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
  const rows: readonly (readonly [string, number])[] = [
    ['Original pages  : ', pages],
    ['  Excluded pages   : ', excluded],
    ['    Pages filled with zero  : ', zero],
    ['    Non-private cache pages : ', of('cache')],
    ['    Private cache pages     : ', of('private cache')],
    ['    User process data pages : ', of('anonymous', 'hugetlb')],
    ['    Free pages              : ', of('free')],
    ['    Hwpoison pages          : ', of('poisoned')],
    ['    Offline pages           : ', of('offline', 'unaccepted')],
    ...(dropped.has('memory map') ? [['    Unused vmemmap pages    : ', of('memory map')] as const] : []),
    ['  Remaining pages  : ', pages - excluded],
  ];
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

  -g VMCOREINFO -x VMLINUX                                     a file of VMCOREINFO; -i reads it, if a dump has none

  -e: without unused parts of the memory map
  --num-threads N, -L SIZE, --dry-run, --show-stats, --message-level N, --check-params, --vtop ADDRESS, -v, -h
  -b, -D, -x, --cyclic-buffer, --non-mmap, --splitblock-size, --work-dir: taken, and not needed
  ${Object.entries(dumpLevel)
    .map(([name, bit]) => `${bit} ${name}`)
    .join(', ')}: bits of LEVEL
`);
  return 0;
}
