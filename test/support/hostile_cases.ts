// Dumps that cost as much as a small file can make them, each by one lie: what they do to the sample's kernel.
import type { HostileDump } from './hostile_dump.ts';

export type HostileCase = (dump: HostileDump) => void;

/** A ring of `count` records whose texts overlap. @param text what each byte between their ids is */
function overlappingLog(dump: HostileDump, countBits: number, text: string): void {
  const count = 2 ** countBits;
  const data = Buffer.alloc(131_072 + count * 8, text, 'latin1');
  const sizeBits = Math.ceil(Math.log2(data.length));
  const descs = Buffer.alloc(count * 24);
  const infoSize = dump.size('struct printk_info');
  const infos = Buffer.alloc(count * infoSize);
  const textLength = Number(dump.offset('struct printk_info', 'text_len'));
  for (let id = 0; id < count; id++) {
    descs.writeBigUInt64LE(BigInt(id) | (2n << 62n), id * 24);
    descs.writeBigUInt64LE(BigInt(id * 8), id * 24 + 8);
    descs.writeBigUInt64LE(BigInt(id * 8 + 65_536), id * 24 + 16);
    infos.writeUInt16LE(65_520, id * infoSize + textLength);
    data.writeBigUInt64LE(BigInt(id), id * 8);
  }
  const prb = dump.kernel.space.pointer(dump.kernel.address('prb'));
  const at = (path: string): bigint => prb + dump.offset('struct printk_ringbuffer', path);
  dump.u32(at('desc_ring.count_bits'), countBits);
  dump.u64(at('desc_ring.descs'), dump.place(descs));
  dump.u64(at('desc_ring.infos'), dump.place(infos));
  dump.u64(at('desc_ring.head_id'), BigInt(count - 1));
  dump.u64(at('desc_ring.tail_id'), 0n);
  dump.u32(at('text_data_ring.size_bits'), sizeBits);
  dump.u64(at('text_data_ring.data'), dump.place(Buffer.concat([data, Buffer.alloc(2 ** sizeBits - data.length)])));
}

/** A list of so many nodes, each `stride` bytes from the next, that never ends where it should. @returns the first node */
function longChain(dump: HostileDump, nodes: number, stride = 16, fill: (node: Buffer) => void = () => {}): bigint {
  const bytes = Buffer.alloc(nodes * stride);
  for (let i = 0; i < nodes; i++) fill(bytes.subarray(i * stride, (i + 1) * stride));
  const start = dump.place(bytes);
  const links = Buffer.alloc(nodes * stride);
  for (let i = 0; i < nodes; i++) {
    bytes.copy(links, i * stride, i * stride, (i + 1) * stride);
    links.writeBigUInt64LE(start + BigInt(((i + 1) % nodes) * stride), i * stride);
  }
  dump.write(start, links);
  return start;
}

/** Copies of the first module, linked as the whole list. @param change each copy, by its address */
function modules(dump: HostileDump, count: number, change: (at: bigint, i: number) => void): void {
  const first = dump.kernel.modules[0]!.object;
  const list = dump.offset('struct module', 'list');
  const content = dump.kernel.space.read(first.address, first.size);
  const size = Math.ceil(first.size / 64) * 64;
  const start = dump.place(
    Buffer.concat(Array.from({ length: count }, () => Buffer.concat([content, Buffer.alloc(size - content.length)]))),
  );
  const head = dump.address('modules');
  let before = head;
  for (let i = 0; i < count; i++) {
    const at = start + BigInt(i * size);
    dump.u64(before, at + list);
    dump.u64(at + list, head, before);
    dump.write(at + dump.offset('struct module', 'name'), Buffer.from(`hostile_${i}\0`));
    change(at, i);
    before = at + list;
  }
  dump.u64(head + 8n, before);
}

/** Breaks the list of tasks from both ends, so that they are looked for everywhere else. */
function breakTasks(dump: HostileDump): void {
  dump.u64(dump.address('init_task') + dump.offset('struct task_struct', 'tasks'), 8n, 8n);
}

/** Levels of an xarray, each of whose 64 slots is the level below. @returns what the root holds */
function manyLevels(dump: HostileDump, leaf: bigint): bigint {
  let below = leaf;
  const size = dump.size('struct xa_node');
  for (let shift = 0; shift <= 54; shift += 6) {
    const node = Buffer.alloc(size);
    node[Number(dump.offset('struct xa_node', 'shift'))] = shift;
    const slots = Number(dump.offset('struct xa_node', 'slots'));
    for (let i = 0; i < 64; i++) node.writeBigUInt64LE(below, slots + 8 * i);
    below = dump.place(node) | 2n;
  }
  return below;
}

const page = 4096;

/** BTF of a module: 64 MB of integers without a name. */
function hugeBtf(dump: HostileDump): { readonly at: bigint; readonly size: number } {
  const size = 64 * 1024 * 1024;
  const header = Buffer.alloc(page);
  header.writeUInt16LE(0xeb9f, 0);
  header[2] = 1;
  header.writeUInt32LE(24, 4);
  header.writeUInt32LE(page - 24, 8); // types from the second page on
  header.writeUInt32LE(size - page - page, 12);
  header.writeUInt32LE(size - page - 24, 16);
  header.writeUInt32LE(page, 20);
  const types = Buffer.alloc(page);
  for (let i = 0; i < page; i += 16) {
    types.writeUInt32LE(0x0100_0000, i + 4);
    types.writeUInt32LE(4, i + 8);
    types.writeUInt32LE(32, i + 12);
  }
  return { at: dump.stretch(header, types, size / page), size };
}

export const hostileCases: Readonly<Record<string, HostileCase>> = {
  '4096 log records that overlap': (dump) => overlappingLog(dump, 12, 'overlap '),
  '16384 log records that overlap': (dump) => overlappingLog(dump, 14, 'overlap '),
  'log records of newlines alone': (dump) => overlappingLog(dump, 12, '\n'),
  'tasks by an xarray of the same nodes': (dump) => {
    breakTasks(dump);
    const pid = dump.kernel.tasks.byPid(1)!.object.member('thread_pid').pointer();
    dump.u64(dump.kernel.variable('init_pid_ns').member('idr.idr_rt.xa_head').address, manyLevels(dump, pid));
  },
  'tasks by an xarray of nodes that are no pids': (dump) => {
    breakTasks(dump);
    dump.u64(
      dump.kernel.variable('init_pid_ns').member('idr.idr_rt.xa_head').address,
      manyLevels(dump, dump.place(Buffer.alloc(page))),
    );
  },
  'one chain for the children of every task': (dump) => {
    breakTasks(dump);
    const chain = longChain(dump, 4_000_000);
    for (const task of dump.kernel.tasks.all) dump.u64(task.object.member('children').address, chain, chain);
  },
  'one chain for everything global': (dump) => {
    const chain = longChain(dump, 4_000_000);
    for (const name of ['slab_caches', 'super_blocks', 'modules', 'vmap_area_list', 'cdev_list', 'misc_list']) {
      const symbol = dump.kernel.ownSymbol(name);
      if (symbol !== null) dump.u64(symbol.address, chain, chain);
    }
  },
  'one chain for the users of every module': (dump) => {
    const chain = longChain(dump, 4_000_000);
    for (const { object } of dump.kernel.modules) dump.u64(object.member('source_list').address, chain, chain);
  },
  'modules that overlap': (dump) => {
    dump.u64(dump.address('modules'), longChain(dump, 1_500_000, 24));
  },
  'tasks that overlap': (dump) => {
    const chain = longChain(dump, 1_300_000, 64);
    dump.u64(dump.address('init_task') + dump.offset('struct task_struct', 'tasks'), chain);
  },
  'page tables that lead to themselves': (dump) => {
    const self = dump.selfMapped();
    for (const name of ['modules', 'slab_caches', 'super_blocks']) dump.u64(dump.address(name), self);
    for (const task of dump.kernel.tasks.all.slice(0, 20)) {
      const mm = task.object.member('mm');
      if (!mm.isNull) dump.u64(mm.member('pgd').address, self);
    }
    dump.u64(dump.address('init_top_pgt') + 8n * 0x130n, dump.kernel.space.u64(dump.kernel.address('init_top_pgt')));
  },
  'modules with 500,000 symbols each': (dump) => {
    const symbols = dump.repeat(Buffer.from('0100000001000000'.repeat(512), 'hex'));
    const strings = dump.place(Buffer.from('\0name_of_a_symbol\0', 'latin1'));
    modules(dump, 12, (at) => {
      const kallsyms = dump.place(Buffer.alloc(64));
      dump.u64(at + dump.offset('struct module', 'kallsyms'), kallsyms);
      dump.u64(kallsyms + dump.offset('struct mod_kallsyms', 'symtab'), symbols);
      dump.u32(kallsyms + dump.offset('struct mod_kallsyms', 'num_symtab'), 500_000);
      dump.u64(kallsyms + dump.offset('struct mod_kallsyms', 'strtab'), strings);
      dump.u64(kallsyms + dump.offset('struct mod_kallsyms', 'typetab'), symbols);
    });
  },
  'modules that export 5,500,000 symbols each': (dump) => {
    const symbols = dump.repeat(Buffer.from('01000000'.repeat(1024), 'hex'));
    modules(dump, 12, (at) => {
      dump.u64(at + dump.offset('struct module', 'syms'), symbols);
      dump.u32(at + dump.offset('struct module', 'num_syms'), 5_500_000);
    });
  },
  'modules with 64 MB of BTF each': (dump) => {
    const btf = hugeBtf(dump);
    modules(dump, 12, (at) => {
      dump.u64(at + dump.offset('struct module', 'btf_data'), btf.at);
      dump.u32(at + dump.offset('struct module', 'btf_data_size'), btf.size);
    });
  },
  '200 modules with 64 MB of BTF': (dump) => {
    const btf = hugeBtf(dump);
    modules(dump, 200, (at) => {
      dump.u64(at + dump.offset('struct module', 'btf_data'), btf.at);
      dump.u32(at + dump.offset('struct module', 'btf_data_size'), btf.size);
    });
  },
  'names of symbols of 1 KB': (dump) => {
    const count = 2_000_000;
    // one token of 128 letters, and eight of them a name
    const tokens = Buffer.alloc(page, 0);
    tokens.fill('t', 0, 1);
    tokens.fill('x', 2, 2 + 128);
    const index = Buffer.alloc(page);
    for (let i = 0; i < 256; i++) index.writeUInt16LE(i === 1 ? 2 : 0, i * 2);
    const names = dump.repeat(Buffer.from('0801010101010101'.padEnd(16, '1'), 'hex'));
    dump.vmcoreinfo('kallsyms_names', names);
    dump.vmcoreinfo('kallsyms_token_table', dump.place(tokens));
    dump.vmcoreinfo('kallsyms_token_index', dump.place(index));
    dump.u32(dump.address('kallsyms_num_syms'), count);
  },
  'an audit queue of 100,000 long messages': (dump) => {
    const message = Buffer.alloc(page);
    message.writeUInt32LE(65_000, 0);
    const data = dump.repeat(message);
    const far = Number(dump.offset('struct sk_buff', 'data')) % 16;
    const chain = longChain(dump, 100_000, 16, (node) => {
      if (far === 8) node.writeBigUInt64LE(data, 8);
    });
    dump.u64(dump.address('audit_queue'), chain);
  },
  'a log that repeats what looks like reports': (dump) => {
    overlappingLog(dump, 8, 'BUG: \nCall Trace:\n BUG: unable to handle page fault\n');
  },
};
