// Broken kernels made from good ones: words of chosen structures changed in memory, the same way every time for
// a seed. Where AlteredMemory says how, this says what: which structures, and which values they do not expect.
import { physAddr, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { InquestError } from '../../src/base/errors.ts';
import type { Dump } from '../../src/dump/dump.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { AlteredMemory } from './altered_memory.ts';
import { awkwardNumbers, Dice } from './mutate.ts';

/** Bytes of the dead machine that a walker reads. */
export interface Target {
  readonly name: string;
  readonly pieces: readonly { readonly address: VirtAddr; readonly length: number }[];
}

/** Variables whose content steers a walk, and the most bytes of each worth changing. */
const variables: Readonly<Record<string, number>> = {
  init_task: 8192,
  modules: 16,
  prb: 8,
  printk_rb_static: 128,
  log_buf: 8,
  _printk_rb_static_descs: 65536,
  _printk_rb_static_infos: 65536,
  __log_buf: 65536,
  clear_seq: 64,
  __per_cpu_offset: 256,
  __cpu_possible_mask: 64,
  __cpu_present_mask: 64,
  __cpu_online_mask: 64,
  nr_cpu_ids: 4,
  nr_threads: 4,
  init_pid_ns: 256,
  slab_caches: 16,
  init_top_pgt: 4096,
  swapper_pg_dir: 4096,
  level3_kernel_pgt: 4096,
  level2_kernel_pgt: 4096,
  level1_fixmap_pgt: 4096,
  mem_section: 8,
  node_data: 64,
  init_uts_ns: 512,
  init_mm: 1024,
  saved_command_line: 8,
  tk_core: 512,
  timekeeper: 512,
  shadow_timekeeper: 512,
  jiffies_64: 8,
  avenrun: 24,
  tainted_mask: 8,
  panic_cpu: 4,
  crashing_cpu: 4,
  vm_node_stat: 512,
  _totalram_pages: 8,
  page_offset_base: 8,
  vmemmap_base: 8,
  vmalloc_base: 8,
  pgdir_shift: 4,
  phys_base: 8,
  cpu_tss_rw: 4096,
  kallsyms_num_syms: 4,
  kallsyms_token_index: 512,
  kallsyms_token_table: 1024,
  kallsyms_markers: 2048,
  kallsyms_names: 65536,
  kallsyms_offsets: 65536,
  kallsyms_relative_base: 8,
  kallsyms_seqs_of_names: 4096,
  __start_BTF: 65536,
  __start_orc_unwind: 65536,
  __start_orc_unwind_ip: 65536,
  orc_lookup: 8192,
  lookup_num_blocks: 4,
  sys_call_table: 4096,
  syslog_seq: 8,
  super_blocks: 16,
  shmem_fs_type: 128,
  ftrace_trampolines: 16,
  kernel_config_data: 4096,
  vmcoreinfo_data: 8,
  runqueues: 4096,
  current_task: 8,
  pcpu_hot: 64,
  hardirq_stack_ptr: 8,
  irq_stack_ptr: 8,
  cpu_number: 4,
};

/** The targets that a kernel has. */
export function targetsOf(kernel: Kernel): Target[] {
  const targets: Target[] = [];
  const add = (name: string, pieces: Target['pieces']): void => {
    if (pieces.length > 0) targets.push({ name, pieces });
  };
  for (const [name, length] of Object.entries(variables)) {
    const symbol = kernel.symbols.find(name);
    if (symbol === null) continue;
    const perCpu = kernel.faults.attempt(name, () => perCpuCopies(kernel, symbol.address, symbol.type), []);
    add(
      name,
      (perCpu.length > 0 ? perCpu : [symbol.address]).map((address) => ({ address, length })),
    );
  }
  const objects = (name: string, type: string, addresses: readonly bigint[]): void => {
    const size = kernel.faults.attempt(name, () => kernel.object(type, virtAddr(0n)).size, 0);
    if (size > 0)
      add(
        name,
        addresses.map((address) => ({ address: virtAddr(address), length: size })),
      );
  };
  const tasks = kernel.tasks.all.map((task) => task.address);
  objects('task_struct', 'struct task_struct', tasks);
  const pointers = (path: string): bigint[] =>
    tasks
      .map((task) =>
        kernel.faults.attempt(path, () => kernel.object('struct task_struct', task).member(path).pointer(), 0n),
      )
      .filter((address) => address !== 0n);
  objects('mm_struct', 'struct mm_struct', pointers('mm'));
  objects('signal_struct', 'struct signal_struct', pointers('signal'));
  objects('sighand_struct', 'struct sighand_struct', pointers('sighand'));
  objects('fs_struct', 'struct fs_struct', pointers('fs'));
  objects('files_struct', 'struct files_struct', pointers('files'));
  objects('nsproxy', 'struct nsproxy', pointers('nsproxy'));
  objects('cred', 'struct cred', pointers('cred'));
  objects('pid', 'struct pid', pointers('thread_pid'));
  add(
    'stack',
    pointers('stack').map((address) => ({ address: virtAddr(address), length: 16384 })),
  );
  objects(
    'module',
    'struct module',
    kernel.modules.map((module) => module.object.address),
  );
  add(
    'list of slab caches',
    kernel.faults.attempt('slab caches', () => {
      const first = kernel.variable('slab_caches').member('next').pointer();
      return [{ address: virtAddr(first - 128n), length: 512 }];
    }, []),
  );
  return targets;
}

function perCpuCopies(kernel: Kernel, address: bigint, type: string): VirtAddr[] {
  // per-CPU symbols are offsets before 6.15 or so: small numbers, or of type A
  if (address > 0x100_0000n && type.toUpperCase() !== 'A') return [];
  return kernel.cpus.possible.map((cpu) => virtAddr(address + kernel.perCpuOffset(cpu)));
}

/** Changes a few words of one or two targets. @returns what was done; null if nothing could be */
export function alterWords(
  kernel: Kernel,
  memory: AlteredMemory,
  targets: readonly Target[],
  seed: number,
): string | null {
  if (targets.length === 0) return null; // a kernel whose symbol table has functions only
  const dice = new Dice(seed);
  const done: string[] = [];
  for (let n = dice.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const target = dice.pick(targets);
    const { address, length } = dice.pick(target.pieces);
    const words = dice.size(32);
    for (let i = 0; i < words; i++) {
      const at = virtAddr(address + BigInt(Math.floor(dice.below(Math.max(1, length)) / 8) * 8));
      const word = newWord(kernel, dice, target, address, at);
      const size = Math.min(dice.pick([8, 8, 8, 4, 2, 1]), length);
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, word, true);
      try {
        memory.write(kernel.space.translate(at), bytes.subarray(0, size));
        if (i < 2) done.push(`${target.name} ${at.toString(16)}:${size} = ${word.toString(16)}`);
      } catch (error) {
        if (!(error instanceof InquestError)) throw error;
      }
    }
  }
  return done.length > 0 ? done.join(', ') : null;
}

/** A value that a word did not expect: a loop, another object's, one too many, nonsense. */
function newWord(kernel: Kernel, dice: Dice, target: Target, base: bigint, at: VirtAddr): bigint {
  const old = kernel.faults.attempt('word', () => kernel.space.u64(at), 0n);
  const other = dice.pick(target.pieces).address;
  const value = dice.pick([
    () => at, // to itself
    () => base,
    () => other + (at - base), // to the same member of another one
    () => kernel.faults.attempt('word', () => kernel.space.u64(virtAddr(other + (at - base))), 0n),
    () => old + 8n,
    () => old - 8n,
    () => old + 1n,
    () => old ^ (1n << BigInt(dice.below(64))),
    () => old ^ 0xffff_ffff_ffff_ffffn,
    () => dice.pick(awkwardNumbers),
    () => dice.pick(awkwardNumbers),
    () => (BigInt(dice.below(2 ** 32)) << 32n) | BigInt(dice.below(2 ** 32)),
    () => 0n,
  ])();
  return BigInt.asUintN(64, value);
}

/** Changes a few words of one page, wherever it is used. @param pfns page frames to choose from */
export function alterPage(memory: AlteredMemory, pfns: readonly number[], seed: number): string {
  const dice = new Dice(seed);
  const pfn = dice.pick(pfns);
  const words = dice.size(64);
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words; i++) {
    view.setBigUint64(
      0,
      dice.next() < 0.5
        ? dice.pick(awkwardNumbers)
        : (BigInt(dice.below(2 ** 32)) << 32n) | BigInt(dice.below(2 ** 32)),
      true,
    );
    memory.write(physAddr(pfn * memory.pageSize + dice.below(memory.pageSize / 8) * 8), bytes);
  }
  return `${words} words in page frame 0x${pfn.toString(16)}`;
}

/** The page frames that a piece of work on a dump reads, in the order of their first use. */
export function pagesRead(dump: Dump, work: (memory: AlteredMemory) => void): number[] {
  const memory = new AlteredMemory(dump.memory);
  work(memory);
  return [...memory.touched];
}
