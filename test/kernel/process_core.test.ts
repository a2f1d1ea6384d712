// A process's core file: what a debugger reads from it must be what the process had, and nothing may be made up.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError } from '../../src/base/errors.ts';
import { processCore } from '../../src/kernel/process_core.ts';
import type { Task } from '../../src/kernel/task.ts';
import { MappedKernel } from '../support/mapped_kernel.ts';
import { writePageTables } from '../support/page_table_writer.ts';
import type { SyntheticMemory } from '../support/synthetic_memory.ts';

const types = `
  struct page { u64 flags; u64 lru[2]; void *mapping; u64 index; u64 private; u64 rest[2]; };
  struct xarray { u64 lock; void *xa_head; };
  struct xa_node { u8 shift; u8 offset; u8 count; u8 values; void *slots[64]; };
  struct address_space { struct xarray i_pages; };
  struct file { struct address_space *f_mapping; };
  struct vm_area_struct { u64 vm_start; u64 vm_end; struct vm_area_struct *vm_next; u64 vm_flags; struct file *vm_file; u64 vm_pgoff; };
  struct vdso_image { void *data; u64 size; };
  struct mm_context { void *vdso; struct vdso_image *vdso_image; };
  typedef struct mm_context mm_context_t;
  struct mm_struct { struct vm_area_struct *mmap; u64 mm_rb; void *pgd; u64 saved_auxv[4]; u64 arg_start; u64 arg_end; mm_context_t context; };
  struct kuid { unsigned int val; };
  struct cred { struct kuid uid; struct kuid gid; };
  struct thread_struct { u64 fsbase; u64 gsbase; };
  struct task_struct { struct mm_struct *mm; struct task_struct *real_parent; int tgid; struct cred *real_cred; void *stack; struct thread_struct thread; };
`;

function machine() {
  const kernel = new MappedKernel(types);
  const memory = kernel.dump.memory as unknown as SyntheticMemory;
  const object = kernel.allocate('struct task_struct');
  const mm = kernel.allocate('struct mm_struct');
  kernel.set(object, 'mm', mm);
  kernel.set(object, 'real_parent', object);
  kernel.set(object, 'tgid', 42);
  const cred = kernel.allocate('struct cred');
  kernel.set(cred, 'uid.val', 1000);
  kernel.set(object, 'real_cred', cred);
  kernel.set(object, 'thread.fsbase', 0x7f00_1234);
  const pgd = kernel.reserve(4095);
  kernel.set(mm, 'pgd', pgd);
  kernel.set(mm, 'saved_auxv[0]', 6);
  kernel.set(mm, 'saved_auxv[1]', 4096);
  const root = kernel.space.translate(pgd);
  const areas: ReturnType<typeof kernel.allocate>[] = [];
  const area = (start: number, end: number, flags: number, file = 0n): void => {
    const made = kernel.allocate('struct vm_area_struct');
    kernel.set(made, 'vm_start', start);
    kernel.set(made, 'vm_end', end);
    kernel.set(made, 'vm_flags', flags);
    kernel.set(made, 'vm_file', file);
    if (areas.length === 0) kernel.set(mm, 'mmap', made);
    else kernel.set(areas.at(-1)!, 'vm_next', made);
    areas.push(made);
  };
  const task = {
    object,
    address: object.address,
    pid: 42,
    tgid: 42,
    comm: 'prog',
    cpu: 0,
    state: 'IN',
    flags: 0,
    active: false,
    kernelThread: false,
  } as unknown as Task;
  /** Maps pages, each with its own first byte. */
  const map = (text: string, pages: Record<number, number>): void => {
    writePageTables(memory, { levels: 4, root, tables: 0x800_0000 }, text);
    for (const [physical, byte] of Object.entries(pages))
      memory.write(Number(physical), new Uint8Array(4096).fill(byte));
  };
  const file = (): Buffer => {
    const core = processCore(kernel, [task]);
    return Buffer.concat([...core.pieces]);
  };
  return { kernel, memory, task, mm, area, map, file, object };
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
  readonly size: number;
}

function segmentsOf(file: Buffer): Segment[] {
  return Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = 64 + i * 56;
    return {
      type: file.readUInt32LE(at),
      flags: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: file.readBigUInt64LE(at + 16),
      fileSize: Number(file.readBigUInt64LE(at + 32)),
      size: Number(file.readBigUInt64LE(at + 40)),
    };
  });
}

function notesOf(file: Buffer): Map<number, Buffer> {
  const [{ offset, fileSize } = { offset: 0, fileSize: 0 }] = segmentsOf(file);
  const notes = new Map<number, Buffer>();
  for (let at = offset; at < offset + fileSize; ) {
    const [name, size, type] = [file.readUInt32LE(at), file.readUInt32LE(at + 4), file.readUInt32LE(at + 8)];
    assert.equal(file.toString('latin1', at + 12, at + 12 + name), 'CORE\0');
    notes.set(type, file.subarray(at + 20, at + 20 + size));
    at += 20 + Math.ceil(size / 4) * 4;
  }
  return notes;
}

describe('a core file', () => {
  test('memory is cut where what there is of it begins and ends, and what is there is what was', () => {
    const { area, map, memory, file } = machine();
    area(0x40_0000, 0x40_4000, 5);
    area(0x60_0000, 0x60_2000, 3);
    map(
      `400000 -> 9000000 4K user
       401000 -> 9001000 4K user
       403000 -> 9003000 4K user
       600000 -> 9004000 4K user rw`,
      { 150994944: 1, 150999040: 2, 151007232: 3, 151011328: 4 },
    );
    memory.mark(0x900_1000, 'excluded');
    const core = file();
    const loads = segmentsOf(core).slice(1);
    assert.deepEqual(
      loads.map(({ address, flags, fileSize, size }) => [address.toString(16), flags, fileSize, size]),
      [
        ['400000', 5, 4096, 4096],
        ['401000', 5, 0, 8192],
        ['403000', 5, 4096, 4096],
        ['600000', 6, 4096, 4096],
        ['601000', 6, 0, 4096],
      ],
    );
    assert.deepEqual(
      loads
        .filter(({ fileSize }) => fileSize > 0)
        .map(({ offset, fileSize }) => [core[offset], core[offset + fileSize - 1]]),
      [
        [1, 1],
        [3, 3],
        [4, 4],
      ],
    );
  });
  test('counts what the process had and the dump has not; memory never touched is no loss', () => {
    const { kernel, task, area, map, memory } = machine();
    area(0x40_0000, 0x50_0000, 3);
    map('400000 -> 9000000 4K user\n401000 -> 9001000 4K user', { 150994944: 1, 150999040: 2 });
    memory.mark(0x900_1000, 'excluded');
    const { pages, missing, threads, withoutRegisters } = processCore(kernel, [task]);
    assert.deepEqual([pages, missing, threads, withoutRegisters], [1, 1, 1, 1]);
  });
  test('pages of a mapped file that nobody has touched come from the page cache', () => {
    const { kernel, area, map, file } = machine();
    const space = kernel.allocate('struct address_space');
    const mapped = kernel.allocate('struct file');
    kernel.set(mapped, 'f_mapping', space);
    const page = kernel.reserve(4095);
    kernel.space.write(page, new Uint8Array(4096).fill(7));
    kernel.set(space, 'i_pages.xa_head', kernel.structPage(page));
    area(0x40_0000, 0x40_2000, 5, mapped.address);
    map('', {});
    const core = file();
    const [first, second] = segmentsOf(core).slice(1);
    assert.deepEqual([first?.fileSize, core[first!.offset], second?.fileSize], [4096, 7, 0]);
  });
  test('pages of the vdso that nobody has touched are those of the kernel', () => {
    const { kernel, mm, area, map, file } = machine();
    const image = kernel.allocate('struct vdso_image');
    const data = kernel.reserve(3 * 4096 - 1);
    kernel.space.write(data, Buffer.concat([5, 6, 7].map((byte) => Buffer.alloc(4096, byte))));
    kernel.set(image, 'data', data);
    kernel.set(image, 'size', 8192);
    kernel.set(mm, 'context.vdso', 0x7f00_0000);
    kernel.set(mm, 'context.vdso_image', image);
    area(0x7e00_0000, 0x7e00_1000, 1);
    area(0x7f00_0000, 0x7f00_3000, 5);
    map('7f000000 -> 9000000 4K user', { 150994944: 1 });
    const core = file();
    assert.deepEqual(
      segmentsOf(core)
        .slice(1)
        .map(({ address, offset, fileSize }) => [address.toString(16), fileSize, fileSize > 0 ? core[offset] : null]),
      [
        ['7e000000', 0, null],
        ['7f000000', 8192, 1],
        ['7f002000', 0, null],
      ],
    );
    assert.equal(core[segmentsOf(core)[2]!.offset + 4096], 6);
  });
  test('notes: process, auxiliary vector, and a place for every thread’s registers', () => {
    const { area, map, file } = machine();
    area(0x40_0000, 0x40_1000, 5);
    map('400000 -> 9000000 4K user', { 150994944: 1 });
    const notes = notesOf(file());
    const status = notes.get(1)!;
    assert.equal(status.length, 336);
    assert.equal(status.readInt32LE(32), 42);
    const info = notes.get(3)!;
    assert.deepEqual(
      [info.readUInt32LE(16), info.readInt32LE(24), info.toString('latin1', 40, 44)],
      [1000, 42, 'prog'],
    );
    assert.deepEqual([notes.get(6)!.readBigUInt64LE(0), notes.get(6)!.readBigUInt64LE(8)], [6n, 4096n]);
    assert.deepEqual(
      [notes.get(0x4649_4c45)!.readBigUInt64LE(0), notes.get(0x4649_4c45)!.readBigUInt64LE(8)],
      [0n, 4096n],
    );
  });
  test('a kernel thread has no core file', () => {
    const { kernel, task, object } = machine();
    kernel.set(object, 'mm', 0);
    assert.throws(() => processCore(kernel, [task]), NotFoundError);
  });
  test('tables that are missing cost what they map, not the file', () => {
    const { memory, area, map, file } = machine();
    area(0x40_0000, 0x40_2000, 3);
    map('400000 -> 9000000 4K user', { 150994944: 1 });
    memory.mark(0x800_2000, 'truncated');
    assert.deepEqual(
      segmentsOf(file())
        .slice(1)
        .map(({ fileSize, size }) => [fileSize, size]),
      [[0, 0x2000]],
    );
  });
});
