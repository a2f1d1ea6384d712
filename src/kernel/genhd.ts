// include/linux/genhd.h (blkdev.h since 5.18): disks and partitions.
//
//   block_class --> device --+-- block_device { bd_partno, bd_disk } --> gendisk        (since 0d02129e76ed, 5.11)
//                            +-- hd_struct { partno } = gendisk.part0                   (before)
import type { VirtAddr } from '../base/address.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { classDevices } from './klist.ts';
import { perKernel } from './per_kernel.ts';

export interface Disk {
  /** Virtual address of the `struct gendisk`. */
  readonly address: VirtAddr;
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  /** Virtual address of the `struct request_queue`. */
  readonly queue: VirtAddr;
  /** Virtual address of the `struct block_device_operations`. */
  readonly operations: VirtAddr;
}

/** All disks, without partitions, in the order in which they came. What cannot be read costs itself. */
export const disks = perKernel(readDisks);

function readDisks(kernel: Kernel): Disk[] {
  const found: Disk[] = [];
  kernel.faults.attempt(
    'disks',
    () => {
      for (const device of classDevices(kernel, 'block_class')) {
        kernel.faults.attempt(
          'disk',
          () => {
            const disk = wholeDisk(kernel, device);
            if (disk !== null) found.push(readDisk(disk));
          },
          undefined,
        );
      }
    },
    undefined,
  );
  return found;
}

/** The gendisk of a device of the block class; null for a partition. */
function wholeDisk(kernel: Kernel, device: KernelObject): KernelObject | null {
  if (kernel.types.find('struct hd_struct') !== null) {
    const part = device.containerOf('struct hd_struct', '__dev');
    return part.member('partno').number() === 0 ? part.containerOf('struct gendisk', 'part0') : null;
  }
  const block = device.containerOf('struct block_device', 'bd_device');
  return partition(block) === 0 ? block.member('bd_disk').deref() : null;
}

/** Number of a `struct block_device`'s partition; 0 for the whole disk. It is in the low byte of __bd_flags since 1116b9fa15c0 (6.10). */
function partition(block: KernelObject): number {
  const own = block.optional('bd_partno');
  return own === null ? block.member('__bd_flags.counter').number() & 0xff : own.number();
}

/** @throws MemoryFault */
export function readDisk(disk: KernelObject): Disk {
  return {
    address: disk.address,
    name: disk.member('disk_name').string(),
    major: disk.member('major').number(),
    minor: disk.member('first_minor').number(),
    queue: disk.member('queue').pointer(),
    operations: disk.member('fops').pointer(),
  };
}

/** What a `struct block_device` is called: `vda`, `vda1`, `nvme0n1p2`. @throws MemoryFault, NotFoundError */
export function blockDeviceName(block: KernelObject): string {
  return partitionName(block.member('bd_disk').member('disk_name').string(), partition(block));
}

/** A partition's name: with a `p` before the number where the disk's ends with a digit (disk_name(), block/). */
export function partitionName(disk: string, number: number): string {
  return number === 0 ? disk : `${disk}${/\d$/.test(disk) ? 'p' : ''}${number}`;
}
