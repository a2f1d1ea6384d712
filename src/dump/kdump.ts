// Opens kdump-compressed dumps: one file, or the parts of a split set in any order.
import { FormatError } from '../base/errors.ts';
import { count } from '../base/text.ts';
import type { ByteSource } from './byte_source.ts';
import { DividedStore } from './divided_store.ts';
import type { Dump, DumpInfo, PageCompression } from './dump.ts';
import { noteBytes, rawNotes, readNotes, readText } from './elf_notes.ts';
import { type KdumpHeader, kdumpFlags, kdumpSignatures, readKdumpHeader } from './kdump_header.ts';
import { compressionOf, type KdumpFile, KdumpStore } from './kdump_store.ts';
import { affordableVictims, PagedMemory } from './paged_memory.ts';
import { Vmcoreinfo } from './vmcoreinfo.ts';

/** Is this the start of a kdump-compressed dump, of whatever machine? */
export function probeKdump(start: Uint8Array): boolean {
  const signature = Buffer.from(start.subarray(0, 8)).toString('latin1');
  return kdumpSignatures.includes(signature);
}

/**
 * @param damaged files that do not make one whole dump are taken as far as they do
 * @throws FormatError for headers that make no sense, or files that do not make one dump
 */
export function openKdump(sources: readonly ByteSource[], damaged = false): Omit<Dump, 'description'> {
  const problems: string[] = [];
  const files = damaged
    ? partsLeft(sources, problems)
    : inOrder(sources.map((source) => ({ source, header: readKdumpHeader(source) })));
  const { source, header } = files[0]!;
  const machine = machineOf(source, header);
  const notes = readNotes(source, [header.notes], machine);
  const store = new KdumpStore(files, notes.mini?.ram);
  const vmcoreinfo = readText(source, header.vmcoreinfo) ?? notes.vmcoreinfo;
  const eraseInfo = readText(source, header.eraseInfo) ?? notes.eraseInfo;
  if (vmcoreinfo === null && header.bitmap.offset >= source.size) {
    throw new FormatError(
      'kdump dump',
      `the file ends at 0x${source.size.toString(16)}, before the bitmaps: nothing is left`,
    );
  }
  const kernelPage = vmcoreinfo === null ? null : new Vmcoreinfo(vmcoreinfo).pageSize;
  const perBlock = kernelPage !== null && kernelPage < store.pageSize ? store.pageSize / kernelPage : 1;
  const facts = lazyFacts(files, store, perBlock, [...problems, ...notes.warnings]);
  const flattened = files.some((file) => file.source.flattened);
  const compression = headerCompression(header) ?? store.firstCompression();
  const info: DumpInfo = {
    files: files.map((file) => file.source.path),
    fileSize: files.reduce((sum, file) => sum + file.source.fileSize, 0),
    format: 'kdump',
    description: [
      `kdump-compressed v${header.version}`,
      compression === 'none' ? 'not compressed' : compression,
      ...(flattened ? ['flattened'] : []),
      ...(files.length > 1 ? [`split in ${count(files.length, 'part')}`] : []),
    ].join(', '),
    flattened,
    split: files.length,
    version: header.version,
    compression,
    level: header.level,
    lacksMap: (header.status & kdumpFlags.lacksMap) !== 0,
    machine,
    utsname: header.utsname.release === '' ? null : header.utsname,
    headerTime: header.time === 0 ? null : header.time,
    get pages() {
      return facts().pages;
    },
    get complete() {
      return facts().complete;
    },
    get warnings() {
      return facts().warnings;
    },
  };
  return {
    info,
    memory: new PagedMemory(
      perBlock === 1 ? store : new DividedStore(store, store.pageSize / perBlock),
      undefined,
      compression === 'none' ? 0 : affordableVictims(info.fileSize),
    ),
    notes: { vmcoreinfo, cpus: notes.cpus, eraseInfo, mini: notes.mini, devices: notes.devices, all: notes.all },
    rawNotes: () =>
      // version 3 has VMCOREINFO and no notes
      header.notes.size === 0 && vmcoreinfo !== null
        ? noteBytes('VMCOREINFO', 0, Buffer.from(vmcoreinfo, 'latin1'))
        : rawNotes(source, [header.notes]),
    live: null,
    close: () => {
      for (const file of files) file.source.close();
    },
  };
}

/**
 * The machine as uname names it. QEMU leaves `Unknown` in dumps of machines other than x86; then VMCOREINFO
 * tells by keys that only one architecture's arch_crash_save_vmcoreinfo() writes.
 */
function machineOf(source: ByteSource, header: KdumpHeader): string {
  const named = header.utsname.machine;
  if (/^[a-z][a-z0-9_]*$/.test(named)) return named;
  const vmcoreinfo = new Vmcoreinfo(readText(source, header.vmcoreinfo) ?? '');
  if (vmcoreinfo.number('VA_BITS') !== null && vmcoreinfo.number('kimage_voffset') !== null) return 'aarch64';
  if (vmcoreinfo.number('phys_base') !== null || vmcoreinfo.symbol('phys_base') !== null) return 'x86_64';
  return 'unknown';
}

/** The compression that the header's status names; null where it names none. */
function headerCompression(header: KdumpHeader): PageCompression | null {
  const named = compressionOf(header.status & (kdumpFlags.zlib | kdumpFlags.lzo | kdumpFlags.snappy | kdumpFlags.zstd));
  return named === 'none' ? null : named;
}

interface Facts {
  readonly pages: DumpInfo['pages'];
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** What takes a pass over the bitmaps to know: done when first asked for. */
function lazyFacts(
  files: readonly KdumpFile[],
  store: KdumpStore,
  perBlock: number,
  noteWarnings: readonly string[],
): () => Facts {
  let facts: Facts | null = null;
  return () => {
    facts ??= findFacts(files, store, perBlock, noteWarnings);
    return facts;
  };
}

/** @param perBlock the kernel's pages in a block of the dump */
function findFacts(
  files: readonly KdumpFile[],
  store: KdumpStore,
  perBlock: number,
  noteWarnings: readonly string[],
): Facts {
  const blocks = store.countPages();
  const pages = {
    total: blocks.total * perBlock,
    present: blocks.present * perBlock,
    lost: blocks.lost * perBlock,
  };
  const warnings = [...noteWarnings];
  let complete = pages.lost === 0;
  for (const { source, header } of files) {
    const name = files.length > 1 ? `${source.path}: ` : '';
    warnings.push(...source.warnings.map((warning) => name + warning));
    if ((header.status & kdumpFlags.incomplete) !== 0) {
      warnings.push(`${name}the header says that the dump is incomplete`);
      complete = false;
    }
    if (header.bitmap.offset + header.bitmap.size > source.size) {
      warnings.push(`${name}the file ends inside the bitmaps`);
      complete = false;
    }
  }
  if (pages.lost > 0) warnings.push(`${count(pages.lost, 'page')} of ${pages.lost + pages.present} lost`);
  return { pages, complete, warnings };
}

/**
 * Puts the parts of a split set in order and checks that they make one whole dump: `--reassemble` asks the
 * same of them (equal headers, page frames that follow one another).
 */
function inOrder(files: readonly KdumpFile[]): readonly KdumpFile[] {
  const first = files[0]!;
  const what = 'split dump';
  for (const { source, header } of files) {
    if (header.split === null && files.length > 1) throw new FormatError(source.path, 'is not a part of a split dump');
    if (!sameDump(header, first.header)) {
      throw new FormatError(what, `${first.source.path} and ${source.path} are parts of different dumps`);
    }
  }
  if (first.header.split === null) return files;
  const sorted = files.toSorted((a, b) => a.header.split!.startPfn - b.header.split!.startPfn);
  let next = 0;
  let previous: KdumpFile | null = null;
  for (const file of sorted) {
    const { startPfn, endPfn } = file.header.split!;
    if (previous !== null && startPfn === previous.header.split!.startPfn && startPfn < endPfn) {
      throw new FormatError(what, `${previous.source.path} and ${file.source.path} are the same part`);
    }
    if (startPfn > next) throw missing(next, startPfn);
    if (startPfn < next) {
      throw new FormatError(what, `page frame 0x${startPfn.toString(16)} of ${file.source.path} is in two parts`);
    }
    next = endPfn;
    previous = file;
  }
  if (next < first.header.maxMapnr) throw missing(next, first.header.maxMapnr);
  return sorted;

  function missing(from: number, to: number): FormatError {
    return new FormatError(
      what,
      `the part with page frames 0x${from.toString(16)} to 0x${(to - 1).toString(16)} is missing: ` +
        `${count(files.length, 'file')} given`,
    );
  }
}

/** The parts of a split dump that can be read and are of the dump that most of them are of, in order. */
function partsLeft(sources: readonly ByteSource[], problems: string[]): readonly KdumpFile[] {
  const files: KdumpFile[] = [];
  let problem: unknown = null;
  for (const source of sources) {
    try {
      files.push({ source, header: readKdumpHeader(source) });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problem ??= error;
      problems.push(`${source.path}: ${error.message}`);
    }
  }
  const alike = files
    .map(({ header }) => files.filter((file) => sameDump(file.header, header)))
    .reduce<readonly KdumpFile[]>((most, some) => (some.length > most.length ? some : most), []);
  const [first] = alike;
  if (first === undefined) throw problem;
  const left: KdumpFile[] = [];
  for (const file of alike.toSorted((a, b) => (a.header.split?.startPfn ?? 0) - (b.header.split?.startPfn ?? 0))) {
    const { split } = file.header;
    // two of one part, or parts that overlap: the first
    if (left.length > 0 && (split === null || split.startPfn < (left.at(-1)!.header.split?.endPfn ?? Infinity))) {
      problems.push(`${file.source.path}: has page frames that another file has, too, and is left out`);
    } else left.push(file);
  }
  for (const file of files) {
    if (!alike.includes(file)) problems.push(`${file.source.path}: is a part of another dump, and is left out`);
  }
  return left;
}

function sameDump(a: KdumpHeader, b: KdumpHeader): boolean {
  return (
    a.version === b.version &&
    a.time === b.time &&
    a.blockSize === b.blockSize &&
    a.maxMapnr === b.maxMapnr &&
    a.level === b.level &&
    a.utsname.nodename === b.utsname.nodename &&
    a.utsname.release === b.utsname.release &&
    a.utsname.version === b.utsname.version
  );
}
