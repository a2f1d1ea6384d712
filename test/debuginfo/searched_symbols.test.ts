// Kernels that name no data: what is found in its place, and that nothing is believed that a second way denies.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { ImageBytes } from '../../src/debuginfo/image_bytes.ts';
import { findExports } from '../../src/debuginfo/ksymtab.ts';
import { findOrc } from '../../src/debuginfo/orc_search.ts';
import { ArraySymbols } from '../../src/debuginfo/ordered_symbols.ts';
import { type SearchedParts, SearchedSymbols } from '../../src/debuginfo/searched_symbols.ts';
import type { KernelSymbol } from '../../src/debuginfo/symbol.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { BtfWriter } from '../support/btf_writer.ts';
import { type KsymtabOptions, writeKsymtab } from '../support/ksymtab_writer.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const text = 0xffff_ffff_8100_0000n;
const data = 0xffff_ffff_8200_0000n;
const tableAt = data + 0x1000n;
const btfAt = data + 0x9003n;

/** Functions that kallsyms has, and that are exported. */
const functions: readonly (readonly [string, bigint])[] = Array.from(
  { length: 150 },
  (_, n) => [`function_${n}`, text + BigInt(n * 16)] as const,
);
const perCpuStart = data + 0x2_0000n;
const variables: readonly (readonly [string, bigint])[] = [
  ['init_task', data + 0x8000n],
  ['jiffies', data + 0x8100n],
  ['cpu_info', perCpuStart + 0x40n],
  ['irq_stat', perCpuStart + 0x80n],
];

function textSymbols(move = 0n): ArraySymbols {
  const symbols = functions.map(
    ([name, address]): KernelSymbol => ({ name, address: virtAddr(address + move), type: 'T', size: 16, module: null }),
  );
  const all = new ArraySymbols(symbols);
  const isText = (address: bigint): boolean => address < text + 0x1000n;
  return Object.assign(all, {
    at: (address: VirtAddr) => (isText(address) ? ArraySymbols.prototype.at.call(all, address) : null),
  });
}

/** struct list_head of 16 bytes, struct page of 64; per-CPU variables. */
function btf(pageSize = 64): Uint8Array {
  const writer = new BtfWriter();
  const long = writer.int('unsigned long', 8);
  const pointer = writer.pointer(0);
  writer.struct('list_head', 16, [
    ['next', pointer, 0],
    ['prev', pointer, 64],
  ]);
  writer.struct('page', pageSize, [['flags', long, 0]]);
  const place = (name: string, offset: number) => ({ variable: writer.variable(name, long), offset, size: 8 });
  writer.section('.data..percpu', [place('cpu_info', 0x40), place('irq_stat', 0x80), place('runqueues', 0xc0)]);
  return writer.bytes();
}

const vmcoreinfo = `SIZE(list_head)=16\nSIZE(page)=64\nOFFSET(list_head.prev)=8\nSYMBOL(prb)=${(data + 0x8200n).toString(16)}\nSYMBOL(mem_section)=ffff888000001000\n`;

function kernel(parts: Partial<SearchedParts> & { readonly types?: Uint8Array } = {}): SearchedSymbols {
  const space = new SyntheticSpace();
  space.map(data, 0x4_0000);
  space.write(tableAt, writeKsymtab(tableAt, [...functions, ...variables]));
  space.write(btfAt, parts.types ?? btf());
  return new SearchedSymbols({
    space,
    vmcoreinfo: new Vmcoreinfo(vmcoreinfo),
    kallsyms: textSymbols(),
    text: virtAddr(text),
    start: virtAddr(data),
    isCode: (address) => address >= text && address < text + 0x1000n,
    seek: () => null,
    ...parts,
  });
}

describe('a kernel whose kallsyms has code alone', () => {
  test('exported variables, and those that VMCOREINFO and BTF place', () => {
    const symbols = kernel();
    assert.equal(symbols.find('init_task')?.address, data + 0x8000n);
    assert.equal(symbols.find('prb')?.address, data + 0x8200n);
    assert.equal(symbols.find('runqueues')?.address, perCpuStart + 0xc0n);
    assert.equal(symbols.find('__per_cpu_start')?.address, perCpuStart);
    assert.equal(symbols.find('__start_BTF')?.address, btfAt);
    assert.equal(symbols.find('__stop_BTF')?.address, btfAt + BigInt(btf().length));
    assert.match(symbols.notes.join(' '), /exported symbols \(154, as kallsyms has them\), BTF/);
  });

  test('code is what kallsyms says; data has a name at its very address alone', () => {
    const symbols = kernel();
    assert.equal(symbols.at(virtAddr(text + 20n))?.symbol.name, 'function_1');
    assert.equal(symbols.at(virtAddr(data + 0x8000n))?.symbol.name, 'init_task');
    assert.equal(symbols.at(virtAddr(data + 0x8008n)), null);
    // its size is known
    assert.deepEqual([symbols.at(virtAddr(perCpuStart + 0xc4n))?.offset], [4]);
  });

  test('the banner by the release that VMCOREINFO tells: not the log that begins with it', () => {
    const symbols = kernel({ vmcoreinfo: new Vmcoreinfo(`${vmcoreinfo}OSRELEASE=6.1.0-lab\n`) });
    const { space } = (symbols as unknown as { parts: SearchedParts }).parts;
    const write = (at: bigint, text: string) => (space as SyntheticSpace).write(virtAddr(at), Buffer.from(text));
    write(data + 0x3_0001n, 'Linux version 6.1.0-lab (gcc 12) #1 SMP\0');
    write(data + 0x3_0801n, 'Linux version 6.1.0-lab (gcc 12) # SMP\n\0'); // what it is linked with at first
    write(data + 0x3_1003n, 'Linux version 6.1.0-lab (gcc 12) #1 SMP\n\0');
    assert.equal(symbols.find('linux_banner')?.address, data + 0x3_1003n);
    assert.equal(kernel().find('linux_banner'), null);
  });

  test('what VMCOREINFO says that an array points to is no variable', () => {
    assert.equal(kernel().find('mem_section'), null);
  });

  test('all of it is one table by address', () => {
    const addresses = [...kernel().all()].map(({ address }) => address);
    assert.equal(addresses.length, kernel().count);
    assert.deepEqual(
      addresses,
      [...addresses].sort((a, b) => (a < b ? -1 : 1)),
    );
  });

  test('a variable that is sought is asked for once, and said', () => {
    const asked: string[] = [];
    const symbols = kernel({
      seek(name) {
        asked.push(name);
        return name === 'modules' ? { address: virtAddr(data + 0x8300n), how: 'used by print_modules' } : null;
      },
    });
    for (let i = 0; i < 2; i++) assert.equal(symbols.find('modules')?.address, data + 0x8300n);
    assert.equal(symbols.find('nosuch'), null);
    assert.deepEqual(asked, ['modules', 'nosuch']);
    assert.match(symbols.notes.join(' '), /modules/);
  });
});

describe('what a second way denies is not believed', () => {
  test('exports whose functions are elsewhere by kallsyms', () => {
    const symbols = kernel({ kallsyms: textSymbols(8n) });
    assert.equal(symbols.find('init_task'), null);
    assert.doesNotMatch(symbols.notes.join(' '), /exported/);
  });

  test('BTF whose types have other sizes than VMCOREINFO says', () => {
    assert.equal(kernel({ types: btf(128) }).find('__start_BTF'), null);
  });

  test('per-CPU variables, where exported ones do not agree about the start', () => {
    const symbols = kernel();
    const { space } = (symbols as unknown as { parts: SearchedParts }).parts;
    const moved = variables.map(([name, at]) => [name, name === 'irq_stat' ? at + 8n : at] as const);
    (space as SyntheticSpace).write(tableAt, writeKsymtab(tableAt, [...functions, ...moved]));
    assert.equal(symbols.find('runqueues'), null);
  });

  test('without kallsyms, exports that disagree with VMCOREINFO, or that nothing confirms', () => {
    assert.equal(kernel({ kallsyms: null }).find('init_task'), null);
    const told = (at: bigint) => new Vmcoreinfo(`${vmcoreinfo}SYMBOL(jiffies)=${at.toString(16)}\n`);
    assert.equal(kernel({ kallsyms: null, vmcoreinfo: told(data + 0x8108n) }).find('init_task'), null);
    const good = kernel({ kallsyms: null, vmcoreinfo: told(data + 0x8100n) });
    assert.equal(good.find('init_task')?.address, data + 0x8000n);
    assert.equal(good.find('function_3')?.address, text + 48n);
  });
});

test('a kernel with nothing to be found says so, and finds nothing', () => {
  const symbols = kernel({ space: new SyntheticSpace().map(data, 4096) });
  assert.equal(symbols.find('init_task'), null);
  assert.match(symbols.notes.join(' '), /nothing in its place was found/);
});

describe('the table of exported symbols', () => {
  const imageOf = (bytes: Uint8Array): ImageBytes =>
    ImageBytes.read(
      (() => {
        const space = new SyntheticSpace();
        space.write(data, bytes);
        return space;
      })(),
      virtAddr(data),
      1 << 20,
    );

  for (const form of ['relative-12', 'relative-8', 'absolute-16'] as const satisfies KsymtabOptions['form'][]) {
    test(`with entries of the form ${form}`, () => {
      const found = findExports(imageOf(writeKsymtab(data, [...functions, ...variables], { form })));
      assert.equal(found?.length, 154);
      assert.deepEqual(
        found?.find(({ name }) => name === 'jiffies'),
        { name: 'jiffies', address: data + 0x8100n },
      );
    });
  }

  test('is none where there are few entries, or they are in no order', () => {
    assert.equal(findExports(imageOf(writeKsymtab(data, variables))), null);
    const bytes = writeKsymtab(data, [...functions, ...variables]);
    const view = new DataView(bytes.buffer);
    // every second entry takes the name of one far away
    for (let i = 0; i < 150; i += 2) view.setInt32(i * 12 + 4, 154 * 12 + 8 - i * 12 + (i % 7) * 11, true);
    const found = findExports(imageOf(bytes));
    assert.ok(found === null || found.length < 154);
  });

  test('bytes of any kind lead to no error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 4096 }), (bytes) => {
        findExports(imageOf(bytes));
        findOrc(imageOf(bytes), virtAddr(text));
      }),
      { numRuns: 60 },
    );
  });
});

describe('ORC tables without symbols', () => {
  const count = 3000;
  /** A header that is none, ascending addresses of code, entries, and where the lookups lead. */
  function tables(change: (lookup: Uint32Array, ips: Int32Array) => void = () => {}): Uint8Array {
    const ipsAt = 64;
    const lookupAt = ipsAt + count * 10 + ((4 - ((count * 10) % 4)) % 4);
    const bytes = new Uint8Array(lookupAt + 2048);
    const ips = new Int32Array(bytes.buffer, ipsAt, count);
    // code that runs at boot alone is behind the tables
    for (let i = 0; i < count; i++) ips[i] = (i < count - 9 ? Number(text - data) : 0xf_0000) + i * 8 - ipsAt - i * 4;
    bytes.fill(8, ipsAt + count * 4, lookupAt);
    const lookup = new Uint32Array(bytes.buffer, lookupAt, 512);
    for (let i = 0; i < 512; i++) lookup[i] = i * 5;
    change(lookup, ips);
    return bytes;
  }
  const search = (bytes: Uint8Array) => {
    const space = new SyntheticSpace();
    space.write(data, bytes);
    return findOrc(ImageBytes.read(space, virtAddr(data), 1 << 20), virtAddr(text));
  };

  test('are where addresses of code ascend, with lookups that fit behind them', () => {
    assert.deepEqual(search(tables()), {
      header: null,
      ips: data + 64n,
      entries: data + 64n + BigInt(count * 4),
      count,
    });
  });

  test('are none where the lookups lead outside, or descend', () => {
    assert.equal(search(tables((lookup) => lookup.fill(count, 100))), null);
    assert.equal(search(tables((lookup) => lookup.set([9, 8], 20))), null);
  });
});
