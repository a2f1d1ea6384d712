// A file system met an error and is mounted so that the kernel panics then (errors=panic): what it says of the error, and
// the device, are the matter; who asked it for something is not.
import { hex16 } from '../../base/text.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { listEntries } from '../../kernel/list.ts';
import type { Evidence, Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { phrases, withoutStop } from '../scene.ts';
import type { Explanation } from './explanation.ts';

/**
 * What file systems say as they panic for an error before: ext4, f2fs, jfs, nilfs2 and ocfs2 "forced after error", fat and exfat
 * "fs panic from previous error", ext2 without a device, bcachefs "panic after error", gfs2 "panic requested".
 */
const forced =
  /^(?<name>[\w-]+):?(?: (?:\((?:device )?(?<device>[^()\s]+)\)|fsid=(?<id>\S+))?)?:? *(?:panic forced after error|(?:fs )?panic from previous error|panic after error|panic requested)\b/;

export const fileSystemPanic: Explanation = {
  name: 'file-system-panic',
  recognises: 'a file system that panics on errors (errors=panic), and met one',
  weigh(scene) {
    const { facts } = scene;
    const reason = facts.death?.panic ?? '';
    const { name, device, id } = forced.exec(reason)?.groups ?? {};
    if (scene.kind !== 'panic' || name === undefined) return null;
    const where = device ?? id?.replace(/:$/, '') ?? null;
    const told = errorLine(facts, name, where, reason);
    const about = scene.as('panic');
    const { where: place, runBy } = phrases(scene, about);
    const error = told === null ? `its log does not say which (${withoutStop(reason)})` : withoutStop(told);
    return {
      depth: 'mechanism',
      confidence: 'certain',
      because: 'a file system says that when it is mounted with errors=panic, and nowhere else',
      speaksFor: [`the log says: ${reason}`, ...(told === null ? [] : [`before that: ${told}`])],
      speaksAgainst: [],
      about,
      sentence: `The file system${where === null ? '' : ` on ${where}`} met an error and is mounted with errors=panic: ${error}${place === '' || reports.test(about.blamed?.symbol ?? '') ? '' : `,${place}`}${runBy}.`,
      findings: () => [finding(facts, where, told, reason)],
    };
  },
};

/** Functions of file systems that only report: where they are says nothing. */
const reports = /error|panic|abort|corrupt/;

/** The last error that the file system told of before it panicked; null where the log has none. */
function errorLine({ log }: Facts, name: string, device: string | null, reason: string): string | null {
  const kind = name.replace(/-fs$/, '').toLowerCase();
  let panicked = false;
  for (const { text } of log.toReversed()) {
    for (const line of text.split('\n').toReversed()) {
      if (line.includes(reason)) panicked = true;
      else if (panicked && /error/i.test(line) && isAbout(line, kind, device)) return line.trim();
    }
  }
  return null;
}

/** JFS begins its errors with `ERROR:` alone. */
function isAbout(line: string, kind: string, device: string | null): boolean {
  const begins = line.toLowerCase().startsWith(kind) || line.startsWith('ERROR:');
  return begins && (device === null || line.includes(device));
}

function finding(facts: Facts, device: string | null, told: string | null, reason: string): Finding {
  return {
    title: `${told === null ? 'An error in the file system' : told}, and errors=panic made the kernel panic`,
    explanation:
      'The panic keeps what is on the disk from getting worse. Look at messages of the disk and its controller before the error; then check the file system (fsck) before it is mounted again. errors=remount-ro keeps the machine up instead.',
    confidence: 'certain',
    evidence: present(
      told === null ? null : logEvidence(facts, told, 'The error.'),
      logEvidence(facts, reason, 'Why it did not go on.'),
      device === null ? null : superBlock(facts, device),
      evidence(facts, 'bt', 'What was asked of the file system.', { cut: { kind: 'head', lines: 24 } }),
    ),
  };
}

/** The superblock of a device, with the options of ext4, where its types are known. */
function superBlock(facts: Facts, device: string): Evidence | null {
  const { kernel } = facts;
  if (facts.told !== null) return null;
  const find = (): KernelObject | null => {
    for (const sb of listEntries(kernel.variable('super_blocks'), 'struct super_block', 's_list'))
      if (sb.member('s_id').string() === device) return sb;
    return null;
  };
  const sb = kernel.faults.attempt('superblocks', find, null);
  if (sb === null) return null;
  const shown = kernel.faults.attempt('superblock', () => ext4Options(facts, sb), null);
  return shown ?? evidence(facts, `struct super_block.s_id,s_flags,s_fs_info ${hex16(sb.address)}`, 'Its superblock.');
}

function ext4Options(facts: Facts, sb: KernelObject): Evidence | null {
  const info = sb.member('s_fs_info').pointer();
  if (sb.member('s_type').member('name').string() !== 'ext4' || info === 0n) return null;
  return evidence(
    facts,
    `struct -x ext4_sb_info.s_mount_opt ${hex16(info)}`,
    'Its options: 0x40 is errors=panic (EXT4_MOUNT_ERRORS_PANIC, fs/ext4/ext4.h).',
  );
}
