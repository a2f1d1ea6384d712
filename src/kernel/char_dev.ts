// fs/char_dev.c, block/genhd.c: the numbers of devices, and which drivers they belong to.
//
//   chrdevs[] --> char_device_struct { major, baseminor, name, cdev }      cdev_map: probes by number --> cdev { ops }
//   major_names[] --> blk_major_name { major, name }
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** A range of numbers of character devices. */
export interface CharacterDevice {
  readonly major: number;
  /** First minor number of the range. */
  readonly minor: number;
  readonly name: string;
  /** Virtual address of the `struct cdev` of its first number; null where there is none. */
  readonly cdev: VirtAddr | null;
  /** Virtual address of its `struct file_operations`; null where there is no cdev. */
  readonly operations: VirtAddr | null;
}

export interface BlockMajor {
  readonly major: number;
  readonly name: string;
}

/** Most entries of one chain that are followed. */
const maxChain = 10_000;

/** Registered ranges of character devices, in the order of the kernel's table. What cannot be read costs itself. */
export function characterDevices(kernel: Kernel): CharacterDevice[] {
  const found: CharacterDevice[] = [];
  const cdevOf = cdevs(kernel);
  for (const entry of tableEntries(kernel, 'chrdevs')) {
    kernel.faults.attempt(
      'character device',
      () => {
        const major = entry.member('major').number();
        const minor = entry.member('baseminor').number();
        const own = entry.member('cdev').pointer();
        const cdev = own === 0n ? cdevOf(major, minor) : own;
        found.push({
          major,
          minor,
          name: entry.member('name').string(),
          cdev,
          operations:
            cdev === null
              ? null
              : kernel.faults.attempt('cdev', () => kernel.object('struct cdev', cdev).member('ops').pointer(), null),
        });
      },
      undefined,
    );
  }
  return found;
}

/** Registered major numbers of block devices, in the order of the kernel's table. What cannot be read costs itself. */
export function blockMajors(kernel: Kernel): BlockMajor[] {
  const found: BlockMajor[] = [];
  for (const entry of tableEntries(kernel, 'major_names')) {
    kernel.faults.attempt(
      'block device',
      () => found.push({ major: entry.member('major').number(), name: entry.member('name').string() }),
      0,
    );
  }
  return found;
}

/** The structs of a table of chains. */
function* tableEntries(kernel: Kernel, name: string): Generator<KernelObject> {
  const table = kernel.faults.attempt(name, () => kernel.variable(name), null);
  if (table === null) return;
  for (const head of table.elements(4096)) {
    const chain: KernelObject[] = [];
    kernel.faults.attempt(
      name,
      () => {
        for (const entry of chainOf(head, name)) chain.push(entry);
      },
      undefined,
    );
    yield* chain;
  }
}

function* chainOf(head: KernelObject, what: string): Generator<KernelObject> {
  const seen = new Set<bigint>();
  for (let at = head; !at.isNull; at = at.member('next')) {
    const address = at.pointer();
    if (seen.has(address) || seen.size >= maxChain)
      throw new FormatError(what, `loops back to ${address.toString(16)}`);
    seen.add(address);
    yield at.deref();
  }
}

/** Looks up a cdev by its number, as opening the device does (struct kobj_map: 20 bits of a number are the minor). */
function cdevs(kernel: Kernel): (major: number, minor: number) => VirtAddr | null {
  const map = kernel.faults.attempt('cdev_map', () => kernel.variable('cdev_map').deref(), null);
  return (major, minor) =>
    map === null
      ? null
      : kernel.faults.attempt(
          'cdev',
          () => {
            const number = major * 2 ** 20 + minor;
            const probes = map.member('probes');
            for (const probe of chainOf(probes.index(major % 255), 'cdev_map')) {
              const first = probe.member('dev').number();
              const range = Number(probe.member('range').bigint());
              if (first <= number && number < first + range && first >>> 20 === major)
                return probe.member('data').pointer();
            }
            return null;
          },
          null,
        );
}
