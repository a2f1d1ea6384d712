// Block devices in the capture kernel, where no udev links them: found by what their file systems say of themselves.
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** What the superblock of a file system says. */
export interface FileSystemLabel {
  readonly type: 'ext4' | 'xfs';
  readonly uuid: string;
  readonly label: string;
}

/**
 * Reads the label of ext2, ext3 and ext4 (fs/ext4/ext4.h, struct ext4_super_block) and xfs (fs/xfs/libxfs/xfs_format.h,
 * struct xfs_dsb).
 * @param start the first 4 KiB of a device
 */
export function fileSystemLabel(start: Buffer): FileSystemLabel | null {
  const text = (from: number, size: number): string => start.toString('latin1', from, from + size).split('\0', 1)[0]!;
  const uuid = (from: number): string =>
    start.toString('hex', from, from + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  if (start.length >= 2048 && start.readUInt16LE(1024 + 0x38) === 0xef53)
    return { type: 'ext4', uuid: uuid(1024 + 0x68), label: text(1024 + 0x78, 16) };
  if (start.length >= 128 && start.toString('latin1', 0, 4) === 'XFSB')
    return { type: 'xfs', uuid: uuid(32), label: text(108, 12) };
  return null;
}

/** The device that is meant by `UUID=`, `LABEL=`, `PARTUUID=`, `PARTLABEL=` or a path; null if it is not there (yet). */
export function findDevice(wanted: string): string | null {
  const [, tag, value = ''] = /^(UUID|LABEL|PARTUUID|PARTLABEL)="?([^"]*)"?$/.exec(wanted) ?? [];
  if (tag === undefined) return existsSync(wanted) ? wanted : null;
  for (const name of readdirSync('/sys/class/block').sort()) {
    const device = `/dev/${name.replaceAll('!', '/')}`;
    if (tag.startsWith('PART')) {
      const event = readText(`/sys/class/block/${name}/uevent`);
      const found = new RegExp(`^${tag === 'PARTUUID' ? 'PARTUUID' : 'PARTNAME'}=(.*)$`, 'm').exec(event)?.[1];
      if (found?.toLowerCase() === value.toLowerCase()) return device;
      continue;
    }
    const start = firstBytes(device);
    const label = start === null ? null : fileSystemLabel(start);
    if (label !== null && (tag === 'UUID' ? label.uuid === value.toLowerCase() : label.label === value)) return device;
  }
  return null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}

function firstBytes(device: string): Buffer | null {
  let fd: number | null = null;
  try {
    fd = openSync(device, 'r');
    const bytes = Buffer.alloc(4096);
    return readSync(fd, bytes, 0, bytes.length, 0) === bytes.length ? bytes : null;
  } catch {
    return null; // no medium
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** The same, once it is there. @param seconds to wait; null after them */
export async function waitForDevice(wanted: string, seconds: number): Promise<string | null> {
  for (let waited = 0; ; waited += 0.2) {
    const found = findDevice(wanted);
    if (found !== null || waited >= seconds) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
