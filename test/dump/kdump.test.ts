import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import { FormatError, UnsupportedError } from '../../src/base/errors.ts';
import { openDump } from '../../src/dump/open.ts';
import { flatten, writeFlattened } from '../support/dump_writers/flattened.ts';
import { type KdumpOptions, writeKdump } from '../support/dump_writers/kdump.ts';
import { eraseInfoNote, prstatusNote, qemuCpuNote } from '../support/dump_writers/notes.ts';
import { openBytes, page, pagesOf, tempFiles } from '../support/dump_writers/temp_files.ts';

const small: KdumpOptions = {
  pages: pagesOf(1, 2, 9),
  ram: [[0, 12]],
  compression: 'zlib',
  vmcoreinfo: 'OSRELEASE=6.1\n',
};

describe('kdump header', () => {
  it('names another word size or byte order', (t) => {
    const pages = pagesOf(1);
    const ram = [[0, 0x20000]] as const; // as many page frames as make a plausible block size where 64-bit has it
    assert.throws(
      () => openBytes(t, writeKdump({ pages, ram, wordSize: 32 })),
      (error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.match(error.message, /32-bit machine/);
        return true;
      },
    );
    assert.throws(() => openBytes(t, writeKdump({ pages, littleEndian: false })), /big-endian machine/);
    assert.throws(() => openBytes(t, writeKdump({ pages, littleEndian: false, wordSize: 32 })), /32-bit big-endian/);
  });

  it('refuses absurd counts in one clear line', (t) => {
    const refuse = (lies: KdumpOptions['lies'], expected: RegExp): void => {
      const bytes = writeKdump({ ...small, lies });
      assert.throws(
        () => openBytes(t, bytes),
        (error) => {
          assert.ok(error instanceof FormatError);
          assert.match(error.message, expected);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        },
      );
    };
    refuse({ blockSize: 0 }, /block size 0x0/);
    refuse({ blockSize: 4097 }, /block size 0x1001/);
    refuse({ blockSize: 0x80000000 }, /block size/);
    refuse({ subBlocks: 0 }, /0 blocks of sub header/);
    refuse({ subBlocks: 0xffffffff }, /sub header/);
    refuse({ bitmapBlocks: 0 }, /0 of bitmap/);
    refuse({ bitmapBlocks: 0xffffffff }, /impossible size/);
    refuse({ maxMapnr: 0 }, /no page frames/);
    refuse({ maxMapnr: 2n ** 52n }, /impossible size/);
    refuse({ maxMapnr: 2n ** 63n }, /out of range/);
    refuse({ maxMapnr: 300_000 }, /do not fit/);
  });

  it('refuses a file cut inside its headers', (t) => {
    const whole = writeKdump(small);
    assert.throws(() => openBytes(t, whole.subarray(0, 100)), /ends inside it: 100 of 464/);
    assert.throws(() => openBytes(t, whole.subarray(0, 4096)), /kdump sub header: the file ends inside it/);
    assert.throws(() => openBytes(t, writeKdump({ ...small, vmcoreinfo: '' }).subarray(0, 4300)), /nothing is left/);
  });

  it('takes notes and texts that lie outside the file for missing', (t) => {
    const bytes = writeKdump(small);
    const view = new DataView(bytes.buffer);
    for (const field of [32, 48, 64]) {
      view.setBigUint64(4096 + field, 2n ** 60n, true);
      view.setBigUint64(4096 + field + 8, 2n ** 60n, true);
    }
    const dump = openBytes(t, bytes);
    assert.equal(dump.notes.vmcoreinfo, null);
    assert.equal(dump.notes.eraseInfo, null);
    assert.deepEqual(dump.notes.all, []);
    assert.deepEqual(dump.memory.page(pfn(9)), page(9));
  });

  for (let version = 0; version <= 7; version++) {
    it(`reads version ${version}`, (t) => {
      const eraseInfo = 'erase jiffies size 8\n';
      const dump = openBytes(
        t,
        writeKdump({ ...small, version, level: 17, eraseInfo, notes: [prstatusNote(4, Array(27).fill(9n))] }),
      );
      assert.equal(dump.info.version, version);
      assert.equal(dump.info.level, version >= 1 ? 17 : null);
      assert.equal(dump.notes.vmcoreinfo, version >= 3 ? 'OSRELEASE=6.1\n' : null);
      assert.equal(dump.notes.cpus.length, version >= 4 ? 1 : 0);
      assert.equal(dump.notes.eraseInfo, version >= 5 ? eraseInfo : null);
      assert.deepEqual(dump.memory.page(pfn(9)), page(9));
      assert.deepEqual(dump.info.pages, { total: 12, present: 3, lost: 0 });
    });
  }

  it('opens a dump that has no page at all', (t) => {
    const dump = openBytes(t, writeKdump({ ...small, pages: new Map() }));
    assert.deepEqual(dump.info.pages, { total: 12, present: 0, lost: 0 });
    assert.equal(dump.info.complete, true);
    assert.equal(dump.memory.pageState(pfn(1)), 'excluded');
  });

  it("reads diskdump's signature", (t) => {
    const dump = openBytes(t, writeKdump({ ...small, signature: 'DISKDUMP', version: 1 }));
    assert.deepEqual(dump.memory.page(pfn(2)), page(2));
  });

  it('tells what the header says', (t) => {
    const utsname = { nodename: 'db1', release: '6.1.9', version: '#2 SMP', machine: 'x86_64' };
    const [path] = tempFiles(t, writeKdump({ ...small, utsname, time: 1_700_000_000, level: 31 }));
    const dump = openDump([path!]);
    t.after(() => dump.close());
    assert.deepEqual(dump.info.utsname, { sysname: 'Linux', ...utsname });
    assert.equal(dump.info.headerTime, 1_700_000_000);
    assert.equal(dump.info.level, 31);
    assert.equal(dump.info.machine, 'x86_64');
    assert.equal(dump.info.description, 'kdump-compressed v6, zlib');
    assert.deepEqual(dump.info.files, [path]);
    assert.equal(dump.info.complete, true);
    assert.deepEqual(dump.info.warnings, []);
  });

  it('knows an arm64 dump whose header does not name the machine, and its larger pages', (t) => {
    const vmcoreinfo = 'OSRELEASE=6.1\nNUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0xffff800000000000\n';
    const registers = Array.from({ length: 34 }, (_, i) => BigInt(i));
    const pages = new Map([[3, page(3, 65536)]]);
    const utsname = { sysname: '', nodename: '', release: '', version: '', machine: 'Unknown' };
    const dump = openBytes(
      t,
      writeKdump({ pages, vmcoreinfo, utsname, blockSize: 65536, notes: [prstatusNote(1, registers)] }),
    );
    assert.equal(dump.info.machine, 'aarch64');
    assert.equal(dump.info.utsname, null);
    assert.equal(dump.memory.pageSize, 65536);
    assert.deepEqual(dump.memory.page(pfn(3)), page(3, 65536));
  });
});

describe('kdump notes', () => {
  it("reads the CPUs' registers, QEMU's as well", (t) => {
    const general = Array.from({ length: 18 }, (_, i) => BigInt(100 + i));
    const segments = Array.from({ length: 10 }, (_, i) => ({ selector: i, limit: 0xffff, base: BigInt(i) << 40n }));
    const dump = openBytes(
      t,
      writeKdump({
        ...small,
        notes: [
          prstatusNote(
            77,
            Array.from({ length: 27 }, (_, i) => BigInt(i)),
          ),
          prstatusNote(
            0,
            Array.from({ length: 27 }, () => 2n ** 64n - 1n),
          ),
          prstatusNote(5, [1n, 2n]),
          { name: 'LINUX', type: 0x700, desc: new Uint8Array(13) },
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], 42n),
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], null),
          qemuCpuNote(general, segments, [1n, 0n, 3n, 0x1000n, 5n], null, 2),
          eraseInfoNote('erase x nullify\n'),
        ],
      }),
    );
    const { cpus, all, eraseInfo } = dump.notes;
    assert.deepEqual(
      cpus.map(({ source, index, pid }) => [source, index, pid]),
      [
        ['prstatus', 0, 77],
        ['prstatus', 1, 0],
        ['qemu', 0, 0],
        ['qemu', 1, 0],
      ],
    );
    assert.equal(cpus[0]!.registers.r15, 0n);
    assert.equal(cpus[0]!.registers.rip, 16n);
    assert.equal(cpus[0]!.registers.rsp, 19n);
    assert.equal(cpus[0]!.registers.gs, 26n);
    assert.equal(cpus[1]!.registers.rip, 2n ** 64n - 1n);
    const qemu = cpus[2]!.registers;
    assert.deepEqual([qemu.rax, qemu.rip, qemu.eflags], [100n, 116n, 117n]);
    assert.deepEqual([qemu.cs, qemu.gs_base, qemu.idt_base], [0n, 4n << 40n, 9n << 40n]);
    assert.deepEqual([qemu.cr0, qemu.cr3, qemu.cr4, qemu.kernel_gs_base], [1n, 0x1000n, 5n, 42n]);
    assert.equal(cpus[3]!.registers.kernel_gs_base, undefined);
    assert.deepEqual(all[3], { name: 'LINUX', type: 0x700, size: 13 });
    assert.equal(all.length, 9);
    assert.equal(eraseInfo, 'erase x nullify\n');
  });
});

describe('flattened kdump', () => {
  it('is read in place, whatever the size of its records', (t) => {
    const bytes = writeKdump({ ...small, eraseInfo: 'erase x size 8\n' });
    for (const size of [24, 1000, 4096, bytes.length]) {
      const dump = openBytes(t, flatten(bytes, size));
      for (const frame of [1, 2, 9]) assert.deepEqual(dump.memory.page(pfn(frame)), page(frame));
      assert.equal(dump.info.flattened, true);
      assert.equal(dump.info.description, 'kdump-compressed v6, zlib, flattened');
      assert.equal(dump.info.complete, true);
      assert.equal(dump.notes.eraseInfo, 'erase x size 8\n');
    }
  });

  it('gives most pages of a stream that was cut', (t) => {
    const stream = flatten(writeKdump({ ...small, compression: 'none' }), 4096);
    const dump = openBytes(t, stream.subarray(0, stream.length - 3000));
    assert.deepEqual(dump.memory.page(pfn(1)), page(1));
    assert.equal(dump.memory.pageState(pfn(9)), 'truncated');
    assert.match(dump.info.warnings.join('\n'), /no end mark/);
    assert.equal(dump.info.complete, false);
  });

  it('is refused when there is no dump in it', (t) => {
    assert.throws(() => openBytes(t, writeFlattened([{ offset: 0, bytes: page(1) }])), /is not a dump/);
    assert.throws(() => openBytes(t, flatten(flatten(writeKdump(small)))), /is not a dump/);
  });
});
