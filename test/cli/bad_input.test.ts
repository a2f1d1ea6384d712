// What a user sees who names the wrong file, a broken one, or uses the program wrongly: one clear line, and the
// exit status that scripts rely on. Whole processes; what they make of broken content is tested in process, in
// test/robustness.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { checkHtml, checkText } from '../robustness/exercise.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { writeElfCore } from '../support/dump_writers/elf_core.ts';
import { writeKdump, writeSplitKdump } from '../support/dump_writers/kdump.ts';
import { pagesOf, tempDirectory, tempFiles } from '../support/dump_writers/temp_files.ts';
import { inquest, type Run } from './run.ts';

/** Nothing could be read: one line on standard error, nothing else, status 1. */
function refuses(run: Run, line: RegExp): void {
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /^inquest: [^\n]+\n$/);
  assert.match(run.stderr, line);
  assert.deepEqual({ status: run.status, signal: run.signal }, { status: 1, signal: null });
}

/** Wrong usage: status 2, and where to find help. */
function misused(run: Run, line: RegExp): void {
  assert.equal(run.stdout, '');
  assert.match(run.stderr, line);
  assert.match(run.stderr, /--help/);
  assert.equal(run.status, 2);
  assert.deepEqual(checkText('', run.stderr), []);
}

/** Something could be read: status 0, clean text. */
function accepts(run: Run, text: RegExp): void {
  assert.match(run.stdout, text);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(checkText('', run.stdout + run.stderr), []);
}

const page = pagesOf(0, 1, 2, 3);
const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

describe('files that are no dumps', { concurrency: 2 }, () => {
  const segments = [{ address: 0x1000, bytes: page.get(1)! }];
  const files: readonly (readonly [name: string, bytes: Uint8Array, line: RegExp])[] = [
    ['a text', Buffer.from('hello\n'), /no line with a stamp or level of a kernel/],
    ['a log of nothing', Buffer.from('[    1.500000] usb 1-1: new device\n'), /no incident in this log/],
    ['an empty file', Buffer.alloc(0), /is empty/],
    ['a picture', png, /is not a dump/],
    ['a compressed file', gzipSync('vmcore'), /gzip/],
    ['a vmlinux', writeElfCore({ segments, type: 2 }), /a kernel or module with debug information, and no dump/],
    ['a core of a 32-bit machine', writeElfCore({ segments, wordSize: 32 }), /32-bit/],
    ['a core of a big-endian machine', writeElfCore({ segments, littleEndian: false }), /big-endian/],
    ['a dump of a 32-bit machine', writeKdump({ pages: page, wordSize: 32 }), /32-bit/],
    ['a core of a machine that nobody knows', writeElfCore({ segments, machine: 8 }), /machine|MIPS|supported/],
    ['the first bytes of a core', writeElfCore({ segments }).subarray(0, 20), /ends inside its header/],
    ['the first bytes of a dump', writeKdump({ pages: page }).subarray(0, 300), /ends inside it/],
    ['absurd counts', writeKdump({ pages: page, lies: { maxMapnr: 2n ** 50n } }), /impossible|do not fit/],
    ['an absurd block size', writeKdump({ pages: page, lies: { blockSize: 3 } }), /impossible/],
    ['absurd bitmaps', writeKdump({ pages: page, lies: { bitmapBlocks: 0x7fff_ffff } }), /impossible|nothing is left/],
    ['pages without a kernel', writeKdump({ pages: page }), /no VMCOREINFO|no kernel/],
  ];
  for (const [name, bytes, line] of files) {
    test(name, async (t) => {
      const [path] = tempFiles(t, bytes);
      refuses(await inquest([path!]), line);
    });
  }

  test('a directory, a missing file, an unreadable one, a file twice', async (t) => {
    const directory = tempDirectory(t);
    refuses(await inquest([directory]), /is a folder without a dump or a log in it/);
    refuses(await inquest(['crash', join(directory, 'no'), '-c', 'sys']), /no such file/);
    refuses(await inquest(['log', join(directory, 'no')]), /no such file/);
    const locked = join(directory, 'locked');
    writeFileSync(locked, smallDump());
    refuses(await inquest([locked, locked]), /twice/);
    chmodSync(locked, 0);
    if (process.getuid?.() !== 0) refuses(await inquest([locked]), /permission denied/);
  });

  test('a split dump without one of its parts', async (t) => {
    const parts = writeSplitKdump({ pages: page, maxMapnr: 4 }, [1, 2]);
    const [first, , last] = tempFiles(t, ...parts);
    refuses(await inquest([first!, last!]), /part with page frames 0x1 to 0x1 is missing/);
  });
});

describe('dumps that are broken', { concurrency: 2 }, () => {
  test('cut at 10, 50 and 99 %: what is there is shown, and how much is not', async (t) => {
    const good = smallDump();
    const cases = [
      [0.5, /the file ends inside the bitmaps/, /What could not be read/],
      [0.75, /LOST +\d+ pages/, /cannot be told: the dump file is cut/],
      [0.99, /LOST +\d+ pages/, /pages of \d+ lost/],
    ] as const;
    for (const [share, info, report] of cases) {
      const [path] = tempFiles(t, good.subarray(0, Math.floor(good.length * share)));
      accepts(await inquest(['info', path!]), info);
      const text = await inquest([path!]);
      accepts({ ...text, stdout: text.stdout.replaceAll('\n', ' ') }, report);
    }
    const [stump] = tempFiles(t, good.subarray(0, Math.floor(good.length * 0.1)));
    refuses(await inquest([stump!]), /ends|nothing is left|cut/);
  });

  test('a bitmap that claims pages that are not there', async (t) => {
    const pages = pagesOf(0, 1, 2, 3);
    const [path] = tempFiles(
      t,
      writeKdump({ pages, vmcoreinfo: 'OSRELEASE=6.1\n', lies: { dumped: () => true }, maxMapnr: 4096 }),
    );
    accepts(await inquest(['info', path!]), /LOST/);
  });

  test('a page of the log that does not inflate costs the log, and is told', async (t) => {
    const options = { compression: 'zlib' as const, pages: pagesOf(0, 1, 2, 3) };
    const [path] = tempFiles(
      t,
      writeKdump({
        ...options,
        vmcoreinfo: vmcoreinfoOfLog,
        lies: {
          descriptor: (_, descriptor) => {
            descriptor.size = 20;
          },
        },
      }),
    );
    const run = await inquest(['log', path!]);
    refuses(run, /corrupt/);
    const oops = await inquest(['oops', path!]);
    refuses(oops, /corrupt/);
  });

  test('types with loops and bad offsets', async (t) => {
    const [path] = tempFiles(
      t,
      smallDump({
        changeBtf: (bytes) => {
          const view = new DataView(bytes.buffer);
          // the types that records refer to, from the middle of the table on: each its own
          for (let at = 400; at < bytes.length / 2; at += 4) view.setUint32(at, at % 97, true);
        },
      }),
    );
    accepts(await inquest([path!]), /NULL pointer/);
    const run = await inquest(['crash', '-s', path!, '-c', 'struct task_struct', '-c', 'ps', '-c', 'log -t']);
    assert.match(run.stdout, /Kernel panic/);
    assert.deepEqual(checkText('', run.stdout + run.stderr), []);
    assert.ok(run.status === 0 || run.status === 1);
  });

  test('symbols with bad offsets', async (t) => {
    const [path] = tempFiles(
      t,
      smallDump({
        changeKallsyms: (bytes, at) =>
          bytes.fill(0xff, at.get('kallsyms_token_index'), at.get('kallsyms_token_index')! + 512),
      }),
    );
    accepts(await inquest([path!]), /What could not be read[\s\S]*kallsyms/);
  });

  test('reports of hostile text: JSON parses, HTML has no markup of the dump', async (t) => {
    const good = smallDump();
    const [path] = tempFiles(t, good.subarray(0, good.length - 3000));
    const html = await inquest(['report', path!, '--format', 'html']);
    accepts(html, /<!doctype html>/);
    assert.deepEqual(checkHtml('', html.stdout), []);
    const json = await inquest(['report', path!, '--json']);
    accepts(json, /"faults"/);
    JSON.parse(json.stdout);
    accepts(await inquest(['report', path!, '--format', 'markdown']), /^# Kernel crash report/);
  });
});

const vmcoreinfoOfLog = [
  'OSRELEASE=6.1.0',
  'PAGESIZE=4096',
  'NUMBER(phys_base)=0',
  'SYMBOL(swapper_pg_dir)=ffffffff80001000',
  'SYMBOL(_stext)=ffffffff80000000',
  'SYMBOL(prb)=ffffffff80002000',
  '',
].join('\n');

describe('wrong usage', { concurrency: 2 }, () => {
  test('nothing named, unknown options, impossible values', async () => {
    misused(await inquest(['report']), /missing required argument/);
    misused(await inquest(['report', '--live', 'vmcore']), /no dump goes with it/);
    misused(await inquest(['--nonsense', 'x']), /unknown option/);
    misused(await inquest(['report', '--format', 'pdf', 'x']), /Allowed choices/);
    misused(await inquest(['log', 'a', 'b']), /too many arguments/);
  });

  test('a job that is not there: the help of its kind, or the name that was meant', async () => {
    misused(await inquest(['kdump', 'frob']), /\(inquest kdump --help /);
    misused(await inquest(['kdump', 'check', '--frob']), /\(inquest kdump check --help /);
    misused(await inquest(['info']), /\(inquest info --help /);
    refuses(await inquest(['reprot', 'vmcore']), /reprot: no such file; did you mean "inquest report"\?/);
    refuses(await inquest(['dumps/vmcore']), /dumps\/vmcore: no such file$/m);
  });

  test('commands that are not there or fail: status 1, the rest still runs', async (t) => {
    const [path] = tempFiles(t, smallDump());
    const run = await inquest(['crash', '-s', path!, '-c', 'frobnicate', '-c', 'p 1+1', '-c', 'struct -Q x']);
    assert.match(run.stderr, /frobnicate/);
    assert.match(run.stdout, /= 2/);
    assert.equal(run.status, 1);
    assert.deepEqual(checkText('', run.stdout + run.stderr), []);
    const json = await inquest(['crash', '-s', path!, '--json', '-c', 'frobnicate', '-c', 'ps']);
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(lines.length, 2);
    assert.ok('error' in lines[0]! && !('error' in lines[1]!));
  });

  test('a file of commands that is missing, an output that cannot be written', async (t) => {
    const [path] = tempFiles(t, smallDump());
    const directory = tempDirectory(t);
    refuses(await inquest(['crash', path!, '-i', join(directory, 'no')]), /no: no such file/);
    refuses(await inquest([path!, '-o', join(directory, 'no', 'report')]), /report: no such file/);
    mkdirSync(join(directory, 'taken'));
    refuses(await inquest([path!, '-o', join(directory, 'taken')]), /directory/);
    const run = await inquest(['crash', path!, '-s', '-c', `sys > ${directory}/no/sys`]);
    assert.match(run.stdout + run.stderr, /no such file/);
    assert.equal(run.status, 1);
  });
});

test('whoever reads may stop reading: no message, status 0', async (t) => {
  const [path] = tempFiles(t, smallDump());
  const many = Array.from({ length: 200 }, () => ['-c', 'log']).flat();
  const run = await inquest(['crash', '-s', path!, ...many], { closeAfter: 1 });
  assert.equal(run.stderr, '');
  assert.equal(run.status, 0);
});

test('NO_COLOR, and output to a pipe, have no colours', async (t) => {
  const [path] = tempFiles(t, smallDump());
  const run = await inquest([path!], { environment: { NO_COLOR: '1' } });
  accepts(run, /NULL pointer/);
});
