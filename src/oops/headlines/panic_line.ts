// panic()'s own line: what its reason says that happened.
import type { IncidentKind } from '../kinds.ts';
import { stable } from '../stable_text.ts';
import type { Headline } from './headline.ts';

const mountRoot =
  /unable to mount root|cannot open root device|no init found|no working init|requested init .{0,80} failed|unable to open an initial console/i;

/** What a panic with this reason is. */
export function panicHeadline(reason: string): Headline {
  const made = (kind: IncidentKind, title: string, frame?: string): Headline => {
    const headline: Headline = { kind, role: 'panic', title, strong: true, reason, fatal: true };
    if (frame !== undefined) headline.frame = frame;
    return headline;
  };
  const stack = /^stack-protector: [Kk]ernel stack is corrupted in:? ?(\S{0,300})/.exec(reason);
  if (stack !== null) {
    return made(
      'stack-protector',
      'kernel panic: stack is corrupted in %F',
      /[g-zG-Z_]/.test(stack[1]!) ? stack[1] : undefined,
    );
  }
  if (/^corrupted stack end/.test(reason)) return made('stack-overflow', 'kernel panic: corrupted stack end in %F');
  if (/stack overflow/i.test(reason)) return made('stack-overflow', 'kernel stack overflow in %F');
  if (/^Attempted to kill (?:init|the idle)/.test(reason))
    return made('init-killed', `kernel panic: ${/^[^!]{1,60}!?/.exec(reason)![0]}`);
  if (mountRoot.test(reason)) {
    return made(
      'root-mount',
      /mount root/i.test(reason) ? 'kernel panic: VFS: Unable to mount root fs' : `kernel panic: ${stable(reason)}`,
    );
  }
  if (/out of memory|deadlocked on memory/i.test(reason))
    return made('out-of-memory', `kernel panic: ${stable(reason)}`);
  if (/sysrq/i.test(reason)) return made('sysrq', 'sysrq triggered crash');
  if (/^hung_task/.test(reason)) return made('hung-task', 'INFO: task hung in %F');
  if (/^softlockup/.test(reason)) return made('soft-lockup', 'BUG: soft lockup in %F');
  if (/hard lockup/i.test(reason)) {
    const headline = made('hard-lockup', 'Watchdog detected hard LOCKUP in %F');
    const cpu = /on cpu ?(\d{1,5})/.exec(reason)?.[1];
    if (cpu !== undefined) headline.cpu = Number(cpu);
    return headline;
  }
  if (/^RCU Stall/i.test(reason)) return made('rcu-stall', 'INFO: rcu detected stall in %F');
  if (/SError|Asynchronous.*[Aa]bort/.test(reason)) return made('serror', 'SError Interrupt in %F');
  if (/machine check|Not all CPUs entered broadcast|\bMCE\b/i.test(reason))
    return made('machine-check', `kernel panic: ${stable(reason)}`);
  if (/hardware error|uncorrect|\bEDAC\b|\bAER\b|\bGHES\b/i.test(reason))
    return made('hardware-error', `kernel panic: ${stable(reason)}`);
  if (/\bNMI\b/.test(reason)) return made('nmi', `kernel panic: ${stable(reason)}`);
  if (/double fault/i.test(reason)) return made('double-fault', 'PANIC: double fault in %F');
  if (/HYP panic/i.test(reason)) return made('kvm', 'kernel panic: HYP panic in %F');
  if (/^[Xx]en\b/.test(reason)) return made('xen', `kernel panic: ${stable(reason)}`);
  if (
    /^(?:EXT[234]-fs|XFS|BTRFS|Btrfs|F2FS|JBD2?|JFFS2|UBIFS|GFS2|OCFS2|ocfs2|NILFS|REISERFS|bcachefs|FAT-fs|EROFS|overlayfs)\b|panic forced after error|filesystem/i.test(
      reason,
    )
  ) {
    return made('filesystem', `kernel panic: ${stable(reason)}`);
  }
  if (/^CFI failure/.test(reason)) return made('cfi', 'CFI failure in %F');
  return made('panic', reason === '' ? 'kernel panic' : `kernel panic: ${stable(reason)}`);
}

/** Whether panic() says no more than that something before it went wrong. */
export function isConsequence(reason: string): boolean {
  return /^(?:Fatal (?:exception|error)|Aiee, killing|Oops|Fatal hardware error|.{0,60}panic_on_(?:warn|oops)|kasan\.fault|Unrecoverable|Machine halted|die\b|Unhandled exception)/i.test(
    reason,
  );
}
