// VMCOREINFO as a file, made of a vmlinux: what `makedumpfile -g` writes, and `-i` reads for a dump that has lost its note.
// The keys are the kernel's own (Documentation/admin-guide/kdump/vmcoreinfo.rst), as far as a vmlinux tells them: where KASLR
// put the kernel and what it found at boot it does not.
import { latin1 } from '../base/byte_reader.ts';
import { FormatError } from '../base/errors.ts';
import { BtfTypes } from '../debuginfo/btf.ts';
import { DwarfFile } from '../debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../debuginfo/dwarf/dwarf_info.ts';
import type { ElfFile } from '../debuginfo/elf/elf_file.ts';
import { sectionTypes } from '../debuginfo/elf/elf_section.ts';
import { ElfSymbols } from '../debuginfo/elf/symbols.ts';
import { openObjectFile, type Tell } from '../debuginfo/files/object_file.ts';
import { findMember, offsetOf, sizeOf, strip, type TypeSource } from '../debuginfo/type.ts';

const symbols = [
  ...['init_uts_ns', '_stext', 'swapper_pg_dir', 'init_top_pgt', 'level4_kernel_pgt', 'phys_base', 'kimage_voffset'],
  ...['mem_map', 'contig_page_data', 'mem_section', 'node_online_map', 'node_states', 'node_data', 'max_pfn'],
  ...['high_memory', 'vmlist', 'vmap_area_list', 'vmap_nodes', 'free_huge_page', 'modules', 'linux_banner'],
  ...['prb', 'clear_seq', 'log_buf', 'log_buf_len', 'log_first_idx', 'clear_idx', 'log_next_idx'],
  ...['kallsyms_names', 'kallsyms_num_syms', 'kallsyms_token_table', 'kallsyms_token_index', 'kallsyms_offsets'],
  'kallsyms_relative_base',
] as const;

/** Sizes, and offsets of members that there are. */
const types: Readonly<Record<string, readonly string[]>> = {
  page: [
    ...['flags', '_refcount', 'mapping', 'lru', '_mapcount', 'page_type', 'private', 'compound_dtor', 'compound_order'],
    ...['compound_head', 'compound_info'],
  ],
  folio: ['_folio_dtor', '_folio_order', '_flags_1'],
  mem_section: ['section_mem_map'],
  pglist_data: ['node_zones', 'nr_zones', 'node_mem_map', 'node_start_pfn', 'node_spanned_pages', 'node_id'],
  zone: ['free_area', 'vm_stat', 'spanned_pages'],
  free_area: ['free_list'],
  list_head: ['next', 'prev'],
  vm_struct: ['addr'],
  vmap_area: ['va_start', 'list'],
  nodemask_t: [],
  uts_namespace: ['name'],
  new_utsname: ['release'],
  printk_ringbuffer: ['desc_ring', 'text_data_ring', 'fail'],
  prb_desc_ring: ['count_bits', 'descs', 'infos', 'head_id', 'tail_id'],
  prb_desc: ['state_var', 'text_blk_lpos'],
  prb_data_blk_lpos: ['begin', 'next'],
  prb_data_ring: ['size_bits', 'data'],
  printk_info: ['seq', 'ts_nsec', 'text_len', 'caller_id', 'dev_info'],
  dev_printk_info: ['subsystem', 'device'],
  latched_seq: ['val'],
  printk_log: ['ts_nsec', 'len', 'text_len', 'dict_len'],
  atomic_long_t: ['counter'],
};

/** Arrays: the member of a type, and the type of its elements. */
const lengths = ['zone.free_area', 'free_area.free_list'] as const;

/** Enumerators that are told as numbers. */
const numbers: Readonly<Record<string, readonly string[]>> = {
  zone_stat_item: ['NR_FREE_PAGES'],
  node_states: ['N_ONLINE'],
  pageflags: ['PG_lru', 'PG_private', 'PG_swapcache', 'PG_swapbacked', 'PG_slab', 'PG_hwpoison'],
  compound_dtor_id: ['HUGETLB_PAGE_DTOR'],
};

/** Longest banner looked at, in bytes. */
const mostBanner = 1024;

/**
 * The text of VMCOREINFO, as far as a vmlinux tells it.
 * @throws InputError, FormatError where it is no vmlinux with symbols and types
 */
export function vmcoreinfoOf(path: string, tell?: Tell): string {
  const file = openObjectFile(path, tell);
  try {
    const table = ElfSymbols.of(file);
    if (table === null) throw new FormatError(path, 'has no symbols');
    const lines = [`OSRELEASE=${releaseIn(file, table)}`];
    if (file.buildId !== null) lines.push(`BUILD-ID=${file.buildId}`);
    lines.push(`PAGESIZE=${pageSizeOf(table)}`);
    for (const name of symbols) {
      const value = table.find(name)[0]?.value;
      if (value !== undefined) lines.push(`SYMBOL(${name})=${value.toString(16)}`);
    }
    lines.push(...ofTypes(typesOf(file)));
    return `${lines.join('\n')}\n`;
  } finally {
    file.close();
  }
}

function* ofTypes(source: TypeSource): Generator<string> {
  const offsets: string[] = [];
  for (const [name, members] of Object.entries(types)) {
    const type = source.find(`struct ${name}`) ?? source.find(name);
    if (type === null || strip(type).kind === 'incomplete') continue;
    yield `SIZE(${name})=${sizeOf(type)}`;
    for (const member of members) {
      if (findMember(type, member) !== null) offsets.push(`OFFSET(${name}.${member})=${offsetOf(type, member)}`);
    }
  }
  yield* offsets;
  for (const path of lengths) {
    const [name, member] = path.split('.') as [string, string];
    const array = source.find(`struct ${name}`);
    const type = array === null ? undefined : findMember(array, member)?.type;
    const found = type === undefined ? null : strip(type);
    if (found?.kind === 'array') yield `LENGTH(${path})=${found.length}`;
  }
  for (const [name, wanted] of Object.entries(numbers)) {
    const type = source.find(`enum ${name}`);
    if (type?.kind !== 'enum') continue;
    for (const one of type.values) if (wanted.includes(one.name)) yield `NUMBER(${one.name})=${one.value}`;
    const head = type.values.find((one) => one.name === 'PG_head');
    if (head !== undefined) yield `NUMBER(PG_head_mask)=${1n << head.value}`;
  }
}

/** BTF, or DWARF where there is none. */
function typesOf(file: ElfFile): TypeSource {
  const section = file.section('.BTF');
  if (section === null) return new DwarfInfo(new DwarfFile(file), file.path, 0n).types;
  const content = file.content(section);
  return new BtfTypes(content.read(0, content.size));
}

/** The release in `linux_banner`. */
function releaseIn(file: ElfFile, table: ElfSymbols): string {
  const banner = table.find('linux_banner')[0]?.value ?? null;
  const section = file.sections.find(
    ({ address, size, type }) =>
      type !== sectionTypes.noBits && banner !== null && banner >= address && banner < address + BigInt(size),
  );
  if (banner === null || section === undefined) throw new FormatError(file.path, 'is no kernel: it has no banner');
  const bytes = file.content(section).readUpTo(Number(banner - section.address), mostBanner);
  const release = /^Linux version (\S{1,64})/.exec(latin1(bytes, 0, bytes.length))?.[1];
  if (release === undefined) throw new FormatError(file.path, 'its banner tells no release');
  return release;
}

/** As large as the page of zeroes that every kernel has. */
function pageSizeOf(table: ElfSymbols): number {
  const size = table.find('empty_zero_page')[0]?.size ?? 0;
  return size >= 4096 && size <= 65_536 && (size & (size - 1)) === 0 ? size : 4096;
}
