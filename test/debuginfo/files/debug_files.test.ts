import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import * as zlib from 'node:zlib';
import { virtAddr } from '../../../src/base/address.ts';
import { FormatError, InquestError } from '../../../src/base/errors.ts';
import type { DebugTarget } from '../../../src/debuginfo/debug_info.ts';
import { type DebugFileOptions, DebugFiles } from '../../../src/debuginfo/files/debug_files.ts';
import { tempDirectory } from '../../support/dump_writers/temp_files.ts';
import { DwarfWriter, entry } from '../../support/dwarf_writer.ts';
import { ElfWriter } from '../../support/elf_writer.ts';

const kernelId = '00112233445566778899aabbccddeeff00112233';
const moduleId = 'ffeeddccbbaa99887766554433221100ffeeddcc';
const linked = 0xffff_ffff_8100_0000n;
const loaded = 0xffff_ffff_a100_0000n;
const moduleText = 0xffff_ffff_c012_3000n;

function vmlinux(buildId: string | null, more: (elf: ElfWriter) => ElfWriter = (elf) => elf): Uint8Array {
  const dwarf = new DwarfWriter();
  const stmtList = {
    section: dwarf.lines(
      ['/src'],
      [
        ['a.c', 0],
        ['a.c', 0],
      ],
      [
        [linked, 1, 42],
        [linked + 16n, null],
      ],
    ),
  };
  dwarf.unit(
    [
      entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int'),
      entry('structureType', { name: 'only_in_the_file', byteSize: 4 }, [
        entry('member', { name: 'a', type: { ref: 'int' }, dataMemberLocation: 0 }),
      ]),
    ],
    { stmtList, lowPc: { address: linked }, highPc: 16 },
  );
  const elf = new ElfWriter('executable').section('.text', { code: true, address: linked, bytes: new Uint8Array(16) });
  if (buildId !== null) elf.buildId(buildId);
  return more(dwarf.addTo(elf).symbol('_stext', '.text', linked)).bytes();
}

/** Stands where the linker puts an address: relocations take its place. */
const unlinked = 0x1122_3344_5566_7788n;

/** A module whose DWARF has one function of 16 bytes, to be relocated. */
function widget(buildId: string | null, offset = 0x40n): Uint8Array {
  const dwarf = new DwarfWriter();
  const files = [
    ['w.c', 0],
    ['w.c', 0],
  ] as const;
  const rows = [
    [unlinked, 1, 7],
    [unlinked, null],
  ] as const;
  const code = { lowPc: { address: unlinked }, highPc: 16 };
  const stmtList = { section: dwarf.lines(['/w'], files, [...rows]) };
  dwarf.unit([entry('subprogram', { name: 'widget_write', ...code })], {
    name: 'w.c',
    compDir: '/w',
    stmtList,
    ...code,
  });
  const elf = new ElfWriter('relocatable').section('.text', { code: true, noBits: 0x100 });
  if (buildId !== null) elf.buildId(buildId);
  dwarf
    .addTo(elf)
    .symbol('widget_write', '.text', offset)
    .symbol('widget_read', '.text', offset + 0x20n);
  const [start, end] = placesOf(elf, '.debug_line');
  return elf
    .relocate(
      '.debug_info',
      placesOf(elf, '.debug_info').map((at) => ({ at, symbol: 'widget_write' })),
    )
    .relocate('.debug_line', [
      { at: start!, symbol: 'widget_write' },
      { at: end!, symbol: 'widget_write', addend: 16n },
    ])
    .bytes();
}

function placesOf(elf: ElfWriter, section: string): number[] {
  const bytes = Buffer.from(elf.content(section));
  const wanted = Buffer.alloc(8);
  wanted.writeBigUInt64LE(unlinked);
  const found: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) found.push(at);
  return found;
}

function target(more: Partial<DebugTarget> = {}): DebugTarget {
  return {
    module: null,
    machine: 'x86_64',
    release: '6.1.0-test',
    buildId: kernelId,
    kernelOffset: null,
    space: { cString: () => 'Linux version 6.1.0-test' } as never,
    symbol: (name) => (name === '_stext' ? virtAddr(loaded) : null),
    symbols: () => [],
    before: [],
    base: null,
    types: { find: () => null, all: () => [] },
    ...more,
  };
}

function moduleTarget(more: Partial<DebugTarget> = {}): DebugTarget {
  return target({
    module: { name: 'widget', object: null as never },
    buildId: moduleId,
    symbols: () => [
      { name: 'widget_write', address: virtAddr(moduleText + 0x40n), type: 't', size: 16, module: 'widget' },
      { name: 'widget_read', address: virtAddr(moduleText + 0x60n), type: 't', size: 16, module: 'widget' },
    ],
    ...more,
  });
}

function files(
  t: TestContext,
  content: Readonly<Record<string, Uint8Array>>,
  options: Partial<DebugFileOptions> = {},
): { dir: string; debug: DebugFiles } {
  const dir = tempDirectory(t);
  for (const [name, bytes] of Object.entries(content)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), bytes);
  }
  const inDir = (path: string): string => join(dir, path);
  const debug = new DebugFiles({
    force: false,
    fetch: null,
    tell: () => {},
    ...options,
    vmlinux: options.vmlinux == null ? null : inDir(options.vmlinux),
    modules: (options.modules ?? []).map(inDir),
    dirs: [dir, ...(options.dirs ?? [])],
  });
  return { dir, debug };
}

describe('files that do not fit', () => {
  test('a kernel of another build is refused with both build-ids, and used when that is forced', (t) => {
    const content = { vmlinux: vmlinux(moduleId) };
    const { debug } = files(t, content, { vmlinux: 'vmlinux' });
    assert.throws(
      () => debug.open(target()),
      (error: Error) =>
        error instanceof FormatError && error.message.includes(kernelId) && error.message.includes(moduleId),
    );
    assert.equal(debug.used(null), null);
    assert.match(debug.search(null)!.considered[0]!.problem!, /another build/);
    assert.notEqual(files(t, content, { vmlinux: 'vmlinux', force: true }).debug.open(target()), null);
  });

  test('one that is found and does not fit is passed over, without a word', (t) => {
    const { debug, dir } = files(t, {
      'boot/vmlinux-6.1.0-test': vmlinux(moduleId),
      'lib/modules/6.1.0-test/vmlinux': vmlinux(kernelId),
    });
    assert.notEqual(debug.open(target()), null);
    assert.equal(debug.used(null), join(dir, 'lib/modules/6.1.0-test/vmlinux'));
    assert.deepEqual(
      debug.search(null)!.considered.map(({ problem }) => problem === null),
      [false, true],
    );
  });

  test('no kernel, another machine’s, one without debug information, no ELF file', (t) => {
    const cases: [Uint8Array, RegExp][] = [
      [widget(null), /is a module, not a kernel/],
      [new ElfWriter('executable', 183).bytes(), /is for aarch64, the dump is of x86_64/],
      [new ElfWriter('executable').buildId(kernelId).bytes(), /has no debug information/],
      [new Uint8Array(Buffer.from('not an ELF file')), /is not an ELF file/],
    ];
    for (const [bytes, message] of cases) {
      const { debug } = files(t, { vmlinux: bytes }, { vmlinux: 'vmlinux' });
      assert.throws(
        () => debug.open(target()),
        (error: Error) => error instanceof InquestError && message.test(error.message),
      );
    }
  });

  test('a kernel without build-ids is told by its banner', (t) => {
    const withBanner = (banner: string): Uint8Array =>
      vmlinux(null, (elf) =>
        elf
          .section('.rodata', {
            loaded: true,
            address: linked + 0x10_0000n,
            bytes: new Uint8Array(Buffer.from(`${banner}\0`)),
          })
          .symbol('linux_banner', '.rodata', linked + 0x10_0000n),
      );
    const asked = target({
      buildId: null,
      symbol: (name) =>
        name === '_stext' ? virtAddr(loaded) : name === 'linux_banner' ? virtAddr(loaded + 16n) : null,
    });
    assert.throws(
      () => files(t, { vmlinux: withBanner('Linux version 5.10') }, { vmlinux: 'vmlinux' }).debug.open(asked),
      /it says "Linux version 5.10"/,
    );
    assert.notEqual(
      files(t, { vmlinux: withBanner('Linux version 6.1.0-test') }, { vmlinux: 'vmlinux' }).debug.open(asked),
      null,
    );
  });

  test('a module whose symbols lie elsewhere, where no build-id tells', (t) => {
    const { debug } = files(t, { 'widget.ko': widget(null, 0x40n) }, { modules: ['widget.ko'] });
    const moved = moduleTarget({
      buildId: null,
      symbols: () =>
        ['widget_write', 'widget_read', 'widget_a'].map((name, i) => ({
          name,
          address: virtAddr(moduleText + BigInt(i * 0x1000)),
          type: 't',
          size: 16,
          module: 'widget',
        })),
    });
    // two symbols, each with a base of its own: as many differ as agree is not yet a proof
    assert.notEqual(debug.open(moved), null);
    assert.throws(
      () => files(t, { 'widget.ko': widget(kernelId) }, { modules: ['widget.ko'] }).debug.open(moduleTarget()),
      /another build/,
    );
  });
});

describe('files that fit', () => {
  test('lines are told by the addresses of the dump, wherever the kernel was moved to', (t) => {
    const info = files(t, { vmlinux: vmlinux(kernelId) }, { vmlinux: 'vmlinux' }).debug.open(target());
    assert.equal(info!.code!.line(virtAddr(loaded + 4n))?.line, 42);
    assert.equal(info!.code!.line(virtAddr(linked + 4n)), null);
    assert.equal(info!.types.find('struct only_in_the_file')?.kind, 'struct');
  });

  test('a module’s lines are where the dump loaded it', (t) => {
    const info = files(t, { 'widget.ko': widget(moduleId) }, { modules: ['widget.ko'] }).debug.open(moduleTarget());
    const line = info!.code!.line(virtAddr(moduleText + 0x44n));
    assert.deepEqual([line?.file, line?.line], ['/w/w.c', 7]);
  });

  test('found by build-id, by release, packed, and under names with dashes', (t) => {
    const found = (name: string, bytes: Uint8Array): boolean =>
      files(t, { [name]: bytes }).debug.open(target()) !== null;
    assert.ok(found(`.build-id/${kernelId.slice(0, 2)}/${kernelId.slice(2)}.debug`, vmlinux(kernelId)));
    assert.ok(found('usr/lib/debug/boot/vmlinux-6.1.0-test', vmlinux(kernelId)));
    assert.ok(found('lib/modules/6.1.0-test/vmlinux.debug.gz', zlib.gzipSync(vmlinux(kernelId))));
    const module = (name: string): boolean =>
      files(t, { [name]: widget(moduleId) }).debug.open(
        moduleTarget({ module: { name: 'widget_two', object: null as never } }),
      ) !== null;
    assert.ok(module('lib/modules/6.1.0-test/kernel/drivers/widget-two.ko'));
    assert.ok(module('usr/lib/debug/lib/modules/6.1.0-test/kernel/widget_two.ko.debug'));
    assert.ok(!module('lib/modules/5.0.0/widget-two.ko'));
  });

  test('debug information that was moved to another file is found by its link', (t) => {
    const link = new Uint8Array(Buffer.from('vmlinux.debug\0\0\0\0\0\0\0'));
    const stripped = new ElfWriter('executable').buildId(kernelId).section('.gnu_debuglink', { bytes: link }).bytes();
    const { debug } = files(
      t,
      { vmlinux: stripped, '.debug/vmlinux.debug': vmlinux(kernelId) },
      { vmlinux: 'vmlinux' },
    );
    assert.equal(debug.open(target())!.code!.line(virtAddr(loaded))?.line, 42);
    // one of another build is not taken for it
    const other = files(t, { vmlinux: stripped, 'vmlinux.debug': vmlinux(moduleId) }, { vmlinux: 'vmlinux' }).debug;
    assert.throws(() => other.open(target()), /no debug information/);
  });

  test('what servers have is asked for only where nothing was found', (t) => {
    const asked: string[] = [];
    const fetchFrom = (answer: () => string | null) => (id: string) => {
      asked.push(id);
      return answer();
    };
    const { dir, debug } = files(t, { fetched: vmlinux(kernelId) }, { fetch: fetchFrom(() => join(dir, 'fetched')) });
    assert.notEqual(debug.open(target()), null);
    assert.deepEqual(asked, [kernelId]);
    const local = files(t, { vmlinux: vmlinux(kernelId) }, { fetch: fetchFrom(() => null) });
    assert.notEqual(local.debug.open(target()), null);
    assert.equal(asked.length, 1);
  });

  test('a module can be given a file, and lose it', (t) => {
    const { dir, debug } = files(t, { 'elsewhere/w.ko': widget(moduleId) });
    assert.equal(debug.open(moduleTarget()), null);
    debug.use('widget', join(dir, 'elsewhere/w.ko'));
    assert.notEqual(debug.open(moduleTarget()), null);
    assert.equal(debug.used('widget'), join(dir, 'elsewhere/w.ko'));
    debug.use('widget', null);
    assert.equal(debug.open(moduleTarget()), null);
    assert.equal(debug.used('widget'), null);
  });

  test('what is said of a module can be taken back: then the file counts that was named at the start', (t) => {
    const { debug } = files(t, { 'given/widget.ko': widget(moduleId) }, { modules: ['given/widget.ko'] });
    debug.use('widget', null);
    assert.equal(debug.open(moduleTarget()), null);
    debug.reset('widget');
    assert.notEqual(debug.open(moduleTarget()), null);
  });

  test('the symbols of a file stand in for those that a dump lacks, moved with the kernel', (t) => {
    const asked = target({ symbol: (name) => (name === '_stext' ? virtAddr(loaded) : null) });
    const found = files(t, { vmlinux: vmlinux(kernelId) }).debug.symbols(asked)!;
    assert.equal(found.find('_stext')?.address, loaded);
    assert.equal(found.find('_stext')?.type, 'T');
    assert.equal(found.at(virtAddr(loaded + 4n))?.symbol.name, '_stext');
    assert.equal(found.at(virtAddr(loaded + 0x100n)), null); // behind the image
    // one that is only found must be known to fit
    assert.equal(files(t, { vmlinux: vmlinux(null) }).debug.symbols(asked), null);
    assert.equal(files(t, { vmlinux: vmlinux(moduleId) }).debug.symbols(asked), null);
    assert.throws(
      () => files(t, { vmlinux: vmlinux(moduleId) }, { vmlinux: 'vmlinux' }).debug.symbols(asked),
      /another build/,
    );
  });
});
