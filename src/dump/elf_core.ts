// Opens ELF cores: /proc/vmcore as it is, makedumpfile -E, QEMU's dump-guest-memory; and /proc/kcore.
import { FormatError } from '../base/errors.ts';
import { count } from '../base/text.ts';
import type { ByteSource } from './byte_source.ts';
import type { Dump, DumpInfo } from './dump.ts';
import { type ElfCoreHeader, readElfCoreHeader } from './elf_header.ts';
import { noteBytes, rawNotes, readNotes } from './elf_notes.ts';
import { ElfStore } from './elf_store.ts';
import { GuardedStore, isRunningKernel } from './live_memory.ts';
import { PagedMemory } from './paged_memory.ts';
import { Vmcoreinfo } from './vmcoreinfo.ts';

const incompleteFlag = 1; // makedumpfile's elf_info.h, DUMP_ELF_INCOMPLETE
/** x86 has no other; arm64 kernels with larger pages say so in VMCOREINFO. */
const usualPageSize = 4096;

/** @throws FormatError or UnsupportedError for what `readElfCoreHeader` refuses, and for several files */
export function openElfCore(sources: readonly ByteSource[]): Omit<Dump, 'description'> {
  const source = sources[0]!;
  if (sources.length > 1) throw new FormatError(source.path, 'is an ELF core, which is never split: give one file');
  const header = readElfCoreHeader(source);
  const notes = readNotes(source, header.notes, header.machine);
  const pageSize = (notes.vmcoreinfo === null ? null : new Vmcoreinfo(notes.vmcoreinfo).pageSize) ?? usualPageSize;
  const elf = new ElfStore(source, header.segments, pageSize);
  const live = isRunningKernel(source.path, notes) ? new GuardedStore(elf) : null;
  const pages = elf.countPages();
  const info: DumpInfo = {
    files: [source.path],
    fileSize: source.fileSize,
    format: 'elf',
    description: live !== null ? 'memory of the running kernel' : source.flattened ? 'ELF core, flattened' : 'ELF core',
    flattened: source.flattened,
    split: 1,
    version: null,
    compression: 'none',
    level: null,
    lacksMap: false,
    machine: header.machine,
    utsname: null,
    headerTime: null,
    pages,
    ...completeness(source, header, notes.warnings, pages),
  };
  return {
    info,
    memory: new PagedMemory(live ?? elf),
    notes: {
      vmcoreinfo: notes.vmcoreinfo,
      // the running kernel's are empty
      cpus: live === null ? notes.cpus : [],
      eraseInfo: notes.eraseInfo,
      mini: notes.mini,
      devices: notes.devices,
      all: notes.all,
    },
    rawNotes: () => {
      const { vmcoreinfo } = notes;
      if (live === null) return rawNotes(source, header.notes);
      return vmcoreinfo === null ? new Uint8Array(0) : noteBytes('VMCOREINFO', 0, Buffer.from(vmcoreinfo, 'latin1'));
    },
    live,
    close: () => source.close(),
  };
}

function completeness(
  source: ByteSource,
  header: ElfCoreHeader,
  noteWarnings: readonly string[],
  pages: DumpInfo['pages'],
): Pick<DumpInfo, 'complete' | 'warnings'> {
  const incomplete = (header.flags & incompleteFlag) !== 0;
  const warnings = [...source.warnings, ...header.warnings, ...noteWarnings];
  if (incomplete) warnings.push('the header says that the dump is incomplete');
  if (pages.lost > 0)
    warnings.push(`${count(pages.lost, 'page')} of ${pages.lost + pages.present} lost: the file is cut`);
  return { complete: !incomplete && pages.lost === 0 && header.warnings.length === 0, warnings };
}
