// Targets that are mounted: a directory on a file system, NFS, virtiofs.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { messageOf } from '../../base/errors.ts';
import { targetText } from '../config/capture_config.ts';
import type { PlannedTarget } from '../initramfs/capture_plan.ts';
import { runChild } from './child.ts';
import { waitForDevice } from './devices.ts';
import { type CrashName, type FolderTarget, sharedName, TargetError } from './open_target.ts';

/**
 * Mounts a target and makes a folder for this crash.
 * @param at where to mount it
 * @param seconds to wait for the device, and for the mount
 * @throws TargetError
 */
export async function openFolder(
  planned: PlannedTarget,
  crash: CrashName,
  at: string,
  seconds: number,
): Promise<FolderTarget> {
  const { target, fstype, path } = planned;
  const name = targetText(target);
  if (planned.device === null || fstype === null) throw new TargetError(`${name}: which device it is was not known`);
  const device = target.kind === 'directory' ? await waitForDevice(planned.device, seconds) : planned.device;
  if (device === null) throw new TargetError(`${name}: ${planned.device} is not there`);
  mkdirSync(at, { recursive: true });
  const options = target.kind === 'nfs' ? ['-o', target.options ?? 'soft,timeo=100,retrans=2'] : [];
  const program = target.kind === 'nfs' ? 'mount.nfs' : 'mount';
  const args = target.kind === 'nfs' ? [device, at, ...options] : ['-t', fstype, device, at];
  const mounted = await runChild(program, args, { seconds });
  if (!mounted.isGood) {
    // the device is there: what mount(8) misses is the file system
    const isUnknown = target.kind === 'directory' && /No such device/.test(mounted.problem);
    const why = isUnknown ? `this kernel does not know ${fstype}: its module is not in the initramfs` : mounted.problem;
    throw new TargetError(`${name}: it cannot be mounted: ${why}`);
  }
  const folder = `${at}${path === '/' ? '' : path}/${target.kind === 'directory' ? crash.stamp : sharedName(crash)}`;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    await runChild('umount', [at], { seconds });
    throw new TargetError(`${name}: ${messageOf(error)}`);
  }
  return folderTarget(name, folder, () => unmount(at, seconds));
}

/** @param letGo what is done when it is closed */
export function folderTarget(name: string, folder: string, letGo: () => Promise<void>): FolderTarget {
  return {
    kind: 'folder',
    name,
    folder,
    async put(file, bytes) {
      try {
        writeWhole(`${folder}/${file}`, bytes);
      } catch (error) {
        throw new TargetError(`${name}: ${file}: ${messageOf(error)}`);
      }
    },
    async close() {
      syncFolder(folder);
      await letGo();
    },
  };
}

/** Writes a file as `NAME.incomplete`, and renames it once it is on the disk. */
function writeWhole(path: string, bytes: Buffer): void {
  const fd = openSync(`${path}.incomplete`, 'w', 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.incomplete`, path);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } catch {
    // some file systems do not take it of a folder (EINVAL): unmounting syncs
  } finally {
    closeSync(fd);
  }
}

async function unmount(at: string, seconds: number): Promise<void> {
  const { isGood, problem } = await runChild('umount', [at], { seconds });
  if (!isGood) throw new TargetError(`${at} cannot be unmounted: ${problem}`);
}
