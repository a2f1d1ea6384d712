// dev: devices, who drives them, what they take of the machine, and what they have not answered.
import { closeSync, openSync, writeSync } from 'node:fs';
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { assertNever, MemoryFault, messageOf, UsageError } from '../../base/errors.ts';
import { escapeLine, hex, hex16 } from '../../base/text.ts';
import { blockMajors, characterDevices } from '../../kernel/char_dev.ts';
import { fileSpace } from '../../kernel/file_space.ts';
import { disks } from '../../kernel/genhd.ts';
import { resources } from '../../kernel/ioport.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { type PciBus, pciBuses } from '../../kernel/pci.ts';
import { center } from '../columns.ts';
import { defineStream, noItems } from '../command.ts';
import { readWords, type WordRow, wordRowsText } from '../memory/memory_words.ts';
import { flag, optional, valued, values } from '../params.ts';
import { addressName } from './address_name.ts';
import { type OutstandingRequest, outstanding, requestHead, requestLine } from './outstanding.ts';

/** A driver of character or block devices by its major number. */
export interface DriverRow {
  readonly kind: 'character' | 'block';
  /** The first of its kind. */
  readonly first: boolean;
  readonly major: number;
  readonly name: string;
  /** Virtual address of its `struct cdev`, or of its first `struct gendisk`; null for none. */
  readonly device: VirtAddr | null;
  /** Virtual address of its functions; null for none. */
  readonly operations: VirtAddr | null;
  /** Their name; null where no symbol has it. */
  readonly operationsName: string | null;
}

/** I/O ports or physical addresses that somebody has. */
export interface ResourceRow {
  readonly kind: 'port' | 'memory';
  /** The first of its kind. */
  readonly first: boolean;
  /** Virtual address of the `struct resource`. */
  readonly address: VirtAddr;
  readonly start: bigint;
  /** The last one. */
  readonly end: bigint;
  readonly name: string | null;
  readonly depth: number;
}

/** A PCI bus with its devices. */
export interface PciRow {
  readonly kind: 'pci';
  /** Virtual address of the `struct pci_bus`. */
  readonly address: VirtAddr;
  readonly name: string | null;
  /** The bus that it hangs on; null for a root bus. */
  readonly parent: VirtAddr | null;
  readonly devices: readonly {
    /** Virtual address of the `struct pci_dev`. */
    readonly address: VirtAddr;
    readonly name: string;
    readonly class: number;
    readonly vendor: number;
    readonly device: number;
    readonly type: string;
    readonly driver: string | null;
  }[];
}

/** A disk with the requests that it has not answered. */
export interface DiskRow {
  readonly kind: 'disk';
  readonly major: number;
  /** Virtual address of the `struct gendisk`. */
  readonly address: VirtAddr;
  readonly name: string;
  /** Virtual address of the `struct request_queue`. */
  readonly queue: VirtAddr;
  /** Of those given to the device. */
  readonly reads: number;
  readonly writes: number;
  readonly requests: readonly OutstandingRequest[];
}

/** What a driver left of its device. */
export interface DeviceDumpRow {
  readonly kind: 'device dump';
  readonly index: number;
  readonly name: string;
  /** File offset of its data. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Its words; null where only its place was asked for. */
  readonly rows: readonly WordRow[] | null;
  /** The file that it was copied to; null without one. */
  readonly file: string | null;
}

export type DevItem = DriverRow | ResourceRow | PciRow | DiskRow | DeviceDumpRow;

const forms = ['i', 'p', 'd', 'D', 'V', 'v'];
const others = (letter: string): string[] => forms.filter((one) => one !== letter);

export const dev = defineStream({
  name: 'dev',
  help: {
    summary: 'devices, and what they have not answered',
    description: `Without options, the drivers of character and block devices by their major numbers, with the cdev or gendisk of the
first and the functions that serve it. A disk's requests are shown with their age, and with the tasks whose stacks hold
what the request is for.`,
    examples: [
      ['dev -p', 'PCI devices, for lspci -n -s'],
      ['dev -D', 'disks that have not answered, what was asked, since when, and who waits'],
    ],
  },
  params: {
    ports: flag('i', 'I/O ports and physical memory, as /proc/ioports and /proc/iomem have them', {
      excludes: others('i'),
    }),
    pci: flag('p', 'PCI buses and devices', { excludes: others('p') }),
    disks: flag('d', 'disks, and their requests that are not done', { excludes: others('d') }),
    busy: flag('D', 'as -d, of disks alone that have such requests', { excludes: others('D') }),
    deviceDumps: flag('V', 'what drivers left of their devices in the dump, each with its index', {
      excludes: others('V'),
    }),
    deviceDump: valued('v', 'index', values.word, 'one of those: its words, or a copy of it in a file', {
      excludes: others('v'),
    }),
    target: optional('file', values.file),
  },
  items: 'devices',
  collect({ kernel }, options) {
    if (options.target !== null && options.deviceDump === null) throw new UsageError('');
    if (options.deviceDumps) {
      if (kernel.dump.notes.devices.length === 0) throw new UsageError('no device dumps found in this dumpfile');
      return { head: null, items: deviceDumpRows(kernel) };
    }
    if (options.deviceDump !== null) {
      return { head: null, items: noItems(null, [deviceDump(kernel, options.deviceDump, options.target)]) };
    }
    return {
      head: null,
      items: options.ports
        ? resourceRows(kernel)
        : options.pci
          ? pciRows(kernel)
          : options.disks || options.busy
            ? diskRows(kernel, options.busy)
            : driverRows(kernel),
    };
  },
  text: {
    head(_head, { options }) {
      if (options.disks || options.busy) {
        return 'MAJOR GENDISK            NAME       REQUEST_QUEUE      TOTAL  READ WRITE \n';
      }
      return options.deviceDumps ? 'INDEX  OFFSET            SIZE        NAME\n' : '';
    },
    item(item) {
      switch (item.kind) {
        case 'character':
        case 'block':
          return driverText(item);
        case 'port':
        case 'memory':
          return resourceText(item);
        case 'pci':
          return pciText(item);
        case 'disk':
          return diskText(item);
        case 'device dump':
          return deviceDumpText(item);
        default:
          return assertNever(item);
      }
    },
  },
});

function* driverRows(kernel: Kernel): Generator<DevItem, null> {
  const row = (
    kind: DriverRow['kind'],
    first: boolean,
    { major, name }: { readonly major: number; readonly name: string },
    device: VirtAddr | null,
    operations: VirtAddr | null,
  ): DriverRow => {
    const operationsName = operations === null ? null : addressName(kernel, operations);
    return { kind, first, major, name, device, operations, operationsName };
  };
  for (const [i, driver] of characterDevices(kernel).entries()) {
    yield row('character', i === 0, driver, driver.cdev, driver.operations);
  }
  const all = disks(kernel);
  for (const [i, driver] of blockMajors(kernel).entries()) {
    const disk = all.find(({ major }) => major === driver.major);
    yield row('block', i === 0, driver, disk?.address ?? null, disk?.operations ?? null);
  }
  return null;
}

function* resourceRows(kernel: Kernel): Generator<DevItem, null> {
  for (const [kind, root] of [
    ['port', 'ioport_resource'],
    ['memory', 'iomem_resource'],
  ] as const) {
    let first = true;
    for (const { address, start, end, name, depth } of resources(kernel, root)) {
      yield { kind, first, address, start, end, name, depth };
      first = false;
    }
  }
  return null;
}

/** PCI_EXP_TYPE_* (include/uapi/linux/pci_regs.h). */
const pciTypes: Readonly<Record<number, string>> = {
  0: 'ENDPOINT',
  1: 'LEG_END',
  4: 'ROOT_PORT',
  5: 'UPSTREAM',
  6: 'DOWNSTREAM',
  7: 'PCI_BRIDGE',
  8: 'PCIE_BRIDGE',
  9: 'RC_END',
  10: 'RC_EC',
};

function* pciRows(kernel: Kernel): Generator<DevItem, null> {
  function* below(bus: PciBus, parent: VirtAddr | null): Generator<PciRow> {
    const devices = bus.devices.map((device) => ({ ...device, type: pciTypes[device.type] ?? 'UNKNOWN' }));
    yield { kind: 'pci', address: bus.address, name: bus.name, parent, devices };
    for (const child of bus.children) yield* below(child, bus.address);
  }
  for (const bus of pciBuses(kernel)) yield* below(bus, null);
  return null;
}

function* diskRows(kernel: Kernel, busy: boolean): Generator<DevItem, null> {
  for (const { disk, requests } of outstanding(kernel)) {
    const issued = requests.filter(({ state }) => state === 'issued');
    if (busy && requests.length === 0) continue;
    yield {
      kind: 'disk',
      major: disk.major,
      address: disk.address,
      name: disk.name,
      queue: disk.queue,
      reads: issued.filter(({ operation }) => operation === 'read').length,
      writes: issued.filter(({ operation }) => operation !== 'read').length,
      requests,
    };
  }
  return null;
}

function* deviceDumpRows(kernel: Kernel): Generator<DevItem, null> {
  for (const [index, device] of kernel.dump.notes.devices.entries()) {
    yield { kind: 'device dump', index, ...device, rows: null, file: null };
  }
  return null;
}

/** Most bytes shown as words: of more, a copy is what one wants. */
const mostShown = 1024 * 1024;

/** @throws UsageError for an index that there is not, or a file that cannot be written */
function deviceDump(kernel: Kernel, word: string, file: string | null): DeviceDumpRow {
  const device = /^\d{1,6}$/.test(word) ? kernel.dump.notes.devices[Number(word)] : undefined;
  if (device === undefined) throw new UsageError(`no such device dump: ${escapeLine(word)}; dev -V lists them`);
  const index = Number(word);
  const space = fileSpace(kernel.dump);
  const at = virtAddr(BigInt(device.offset));
  if (file === null) {
    const count = Math.floor(Math.min(device.size, mostShown) / 8);
    const { rows } = readWords(space, at, count, 64);
    return { kind: 'device dump', index, ...device, rows, file: null };
  }
  try {
    const fd = openSync(file, 'w');
    try {
      for (let done = 0; done < device.size; ) {
        done += writeSync(fd, space.read(offsetBy(at, done), Math.min(65536, device.size - done)));
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof MemoryFault) throw error;
    throw new UsageError(`${escapeLine(file)} cannot be written: ${messageOf(error)}`);
  }
  return { kind: 'device dump', index, ...device, rows: null, file };
}

function deviceDumpText({ index, name, offset, size, rows, file }: DeviceDumpRow): string {
  if (file !== null) return `${size} bytes of ${escapeLine(name)} copied to ${escapeLine(file)}\n`;
  if (rows !== null) return wordRowsText(rows, { size: 64, show: 'hex', ascii: true });
  return `${String(index).padStart(5)}  0x${hex(offset).padEnd(16)}${String(size).padEnd(12)}${escapeLine(name)}\n`;
}

const driverHeads = {
  character: 'CHRDEV    NAME                 CDEV        OPERATIONS      \n',
  block: '\nBLKDEV    NAME                GENDISK      OPERATIONS      \n',
};

function driverText({ kind, first, major, name, device, operations, operationsName }: DriverRow): string {
  const head = first ? driverHeads[kind] : '';
  const functions = operations === null ? '' : operationsName === null ? hex16(operations) : escapeLine(operationsName);
  const place = device === null ? center('(none)', 16) : `${hex16(device)}  ${functions}`;
  return `${head}${String(major).padStart(4)}      ${escapeLine(name).padEnd(13)}  ${place}\n`;
}

function resourceText({ kind, first, address, start, end, name }: ResourceRow): string {
  const digits = kind === 'port' ? 4 : 8;
  const head = first
    ? `${kind === 'port' ? '' : '\n'}${center('RESOURCE', 16)}  ${center('RANGE', digits * 2 + 1)}  NAME\n`
    : '';
  const range = `${hex(start).padStart(digits, '0')}-${hex(end).padStart(digits, '0')}`;
  return `${head}${hex16(address)}  ${range}  ${name === null ? '(unknown)' : escapeLine(name)}\n`;
}

function pciText({ address, name, parent, devices }: PciRow): string {
  const head = parent === null ? '    ROOT BUS     BUSNAME\n' : '      PCI BUS      BUSNAME\n  ';
  const below = parent === null ? '' : ` (below ${hex16(parent)})`;
  const rows = devices.map((device) => {
    const id = [device.vendor, device.device].map((part) => hex(part).padStart(4, '0')).join(':');
    const kind = hex(device.class).padStart(4, '0');
    return `  ${hex16(device.address)} ${escapeLine(device.name)}  ${kind}  ${id}  ${device.type} \n`;
  });
  return `${head}${hex16(address)} ${escapeLine(name ?? '')}${below}\n      PCI DEV      DO:BU:SL.FN  CLASS   PCI_ID      TYPE   \n${rows.join('')}\n`;
}

function diskText({ major, address, name, queue, reads, writes, requests }: DiskRow): string {
  const counts = [reads + writes, reads, writes].map((count) => String(count).padStart(5)).join(' ');
  const row = `${String(major).padStart(5)} ${hex16(address)}   ${escapeLine(name).padEnd(10)} ${hex16(queue)}   ${counts} \n`;
  return `${row}${requests.length === 0 ? '' : requestHead}${requests.map(requestLine).join('')}`;
}
