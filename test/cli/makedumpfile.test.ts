// `inquest makedumpfile`: what kdump.conf's core_collector and kdump-tools give it, what they look for in its words, and
// its exit status.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import { openDump } from '../../src/dump/open.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { BtfWriter } from '../support/btf_writer.ts';
import { ElfWriter } from '../support/elf_writer.ts';
import { inquest } from './run.ts';

function folderWithDump(test: TestContext): { vmcore: string; at: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-front-'));
  test.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  writeFileSync(at('vmcore'), smallDump());
  return { vmcore: at('vmcore'), at };
}

const makedumpfile = (...words: string[]) => inquest(['makedumpfile', ...words]);

describe('inquest makedumpfile', () => {
  it('refuses what makedumpfile refuses, with its status', async (t) => {
    const { vmcore, at } = folderWithDump(t);
    for (const words of [
      ['-E', '-c', vmcore, at('x')],
      ['-F', '--split', vmcore, at('x'), at('y')],
      ['--num-threads', '2', '-E', vmcore, at('x')],
      ['--partial-dmesg', vmcore, at('x')],
      ['--nosuch', vmcore, at('x')],
      ['-X', vmcore, at('x')],
      ['-d'],
      [vmcore],
    ]) {
      const { status, stdout, stderr } = await makedumpfile(...words);
      assert.equal(status, 1, words.join(' '));
      // a stream has standard output
      assert.match(words.includes('-F') ? stderr : stdout, /Commandline parameter is invalid\./);
      assert.ok([stdout, stderr].some((text) => text.endsWith('\nmakedumpfile Failed.\n')));
    }
    assert.match((await makedumpfile('-d', '32', vmcore, at('x'))).stdout, /^Dump_level\(32\) is invalid\.\n/);
    assert.match(
      (await makedumpfile('--message-level', '32', vmcore, at('x'))).stdout,
      /^Message_level\(32\) is invalid\.\n/,
    );
    for (const option of ['-x', '-i']) {
      const { status, stderr } = await makedumpfile(option, at('nosuch'), vmcore, at('x'));
      assert.deepEqual([status, /nosuch: no such file/.test(stderr)], [1, true]);
    }
    assert.equal((await makedumpfile('--check-params', '-l', '--message-level', '7', '-d', '31', 'a', 'b')).status, 0);
    assert.ok(!existsSync(at('x')));
  });

  it('saves as core_collector says, under the name that it was given', async (t) => {
    const { vmcore, at } = folderWithDump(t);
    const done = await makedumpfile('-l', '--message-level', '7', '-d', '1', vmcore, at('vmcore-incomplete'));
    assert.deepEqual(done, {
      status: 0,
      signal: null,
      stdout: `\nThe dumpfile is saved to ${at('vmcore-incomplete')}.\n\nmakedumpfile Completed.\n`,
      stderr: '',
    });
    assert.equal(openDump([at('vmcore-incomplete')]).info.compression, 'lzo');
    const again = await makedumpfile('-l', '-d', '1', vmcore, at('vmcore-incomplete'));
    assert.equal(again.status, 1);
    assert.match(again.stderr, /is there already\n$/);
    assert.equal((await makedumpfile('-f', '-zd1', '--message-level=0', vmcore, at('vmcore-incomplete'))).stdout, '');
    assert.equal(openDump([at('vmcore-incomplete')]).info.compression, 'zstd');
  });

  it('writes streams with its words on standard error, and puts them in order again', async (t) => {
    const { vmcore, at } = folderWithDump(t);
    const parts = ['1', '2', '3'].map((n) => at(`part.${n}`));
    assert.match(
      (await makedumpfile('--split', '-c', vmcore, ...parts)).stdout,
      /dumpfiles are saved to \S+part\.1, \S+part\.2, and \S+part\.3\.\n/,
    );
    assert.equal((await makedumpfile('--reassemble', ...parts, at('whole'))).status, 0);
    const whole = openDump([at('whole')]);
    assert.equal(whole.info.compression, 'zlib');
    const { memory } = openDump([vmcore]);
    for (const { first, count } of memory.presentRuns(pfn(0), pfn(memory.maxPfn))) {
      for (let n = first; n < first + count; n++) {
        assert.deepEqual(whole.memory.page(pfn(n)), memory.page(pfn(n)));
      }
    }
  });

  it('takes the log out, and only what was not cleared', async (t) => {
    const { vmcore, at } = folderWithDump(t);
    const { status, stdout } = await makedumpfile('--dump-dmesg', vmcore, at('dmesg'));
    assert.equal(status, 0);
    assert.match(stdout, /The dmesg log is saved to /);
    assert.match(
      readFileSync(at('dmesg'), 'utf8'),
      /^\[ {4}0\.000000\] (\[ +T\d+\] )?Linux version 6\.12\.0-synthetic\n/,
    );
    assert.equal((await makedumpfile('--dump-dmesg', '--partial-dmesg', '-f', vmcore, at('dmesg'))).status, 0);
  });

  it('counts, and writes nothing when it is dry', async (t) => {
    const { vmcore, at } = folderWithDump(t);
    const { stdout } = await makedumpfile('-c', '-d', '1', '--dry-run', '--show-stats', vmcore, at('x'));
    assert.match(stdout, /^Original pages {2}: 0x[0-9a-f]{16}$/m);
    assert.match(stdout, /^ {4}Pages filled with zero {2}: 0x[0-9a-f]{16}$/m);
    assert.match(stdout, /^Write bytes {5}: \d+$/m);
    assert.ok(!existsSync(at('x')));
  });

  it('writes VMCOREINFO of a kernel, which describes a dump that has lost its own', async (t) => {
    const { at } = folderWithDump(t);
    const banner = 0xffff_ffff_8200_0000n;
    writeFileSync(
      at('vmlinux'),
      new ElfWriter('executable')
        .section('.rodata', {
          loaded: true,
          address: banner,
          bytes: Buffer.from('Linux version 6.12.0-synthetic (gcc)\n\0'),
        })
        .section('.BTF', { bytes: kernelTypes() })
        .symbol('linux_banner', '.rodata', banner)
        .symbol('init_uts_ns', '.rodata', banner + 64n)
        .bytes(),
    );
    const written = await makedumpfile('-g', at('info'), '-x', at('vmlinux'));
    assert.deepEqual(
      [written.status, written.stdout],
      [0, `\nThe vmcoreinfo is saved to ${at('info')}.\n\nmakedumpfile Completed.\n`],
    );
    const text = readFileSync(at('info'), 'utf8');
    for (const line of [
      'OSRELEASE=6.12.0-synthetic',
      'PAGESIZE=4096',
      `SYMBOL(init_uts_ns)=${(banner + 64n).toString(16)}`,
      'SIZE(list_head)=16',
      'OFFSET(list_head.prev)=8',
      'NUMBER(PG_lru)=5',
      'NUMBER(PG_head_mask)=64',
    ])
      assert.ok(text.split('\n').includes(line), line);
    assert.equal((await makedumpfile('-g', at('info'), '-x', at('vmlinux'))).status, 1, 'it is there');
    assert.equal((await makedumpfile('-g', at('other'))).status, 1, 'of no vmlinux');
    assert.equal((await makedumpfile('-g', at('other'), '-x', at('vmcore'))).status, 1, 'of no vmlinux');
  });
});

function kernelTypes(): Uint8Array {
  const btf = new BtfWriter();
  const list = btf.pointer(btf.next + 1);
  btf.struct('list_head', 16, [
    ['next', list, 0],
    ['prev', list, 64],
  ]);
  btf.enum('pageflags', { PG_lru: 5, PG_head: 6 });
  return btf.bytes();
}
