// Which kernel is speaking, by the first messages of kernels: whether it is a crash kernel, and whether the one before it
// said why it ended.
//
//   kernel dies --> "Linux version ..." --> "Command line: ... elfcorehdr=..."    its crash kernel
//             \---> "Linux version ..." --> (no such line)                        another start: told to, or a silent death
import type { LogLine } from './log_line.ts';

/** Lines within which a kernel prints its command line, which tells a crash kernel from another. */
const commandLineWithin = 200;

const orderlyEnd =
  /reboot: |Restarting system|Rebooting|Power down|System halted|Starting new kernel|kexec|systemd-shutdow|Reached target .{0,40}(?:Shutdown|Reboot|Power|Halt)|going down|Requesting system|Resetting|Kernel logging \(proc\) stopped|exiting on signal|Received SIGTERM|sending all processes|U-Boot SPL|Decompressing Linux/i;

/** Whether a running kernel's messages end in the text, and nothing says that it was to end. */
function endedSuddenly(text: string): boolean {
  const stamps = [...text.matchAll(/^(?:<\d{1,3}>)?\[\s{0,8}(\d{1,10})\.\d{6}\]/gm)];
  // with an early console a kernel may print its first messages twice
  return Number(stamps.at(-1)?.[1] ?? 0) >= 10 && !orderlyEnd.test(text);
}

/** The end of a kernel that said nothing of it. */
export interface SilentDeath {
  readonly title: string;
  /** Lines that show it, of the kernel that came after. */
  readonly first: LogLine;
  readonly last: LogLine;
  readonly release: string | undefined;
}

export class Boots {
  /** Release of the kernel that is speaking, once its first message was read. */
  release: string | undefined;
  /** Whether an incident explains the end of the kernel that is speaking. */
  diesAloud = false;
  /** The boot that is being read follows another one in the same text, and may be a crash kernel's. */
  private afterBoot = false;
  private capture = false;
  private bootLine: LogLine | undefined;
  /** Of the kernel that ran before the last boot message. */
  private diedAloud = false;
  private diedRelease: string | undefined;
  /** The first message of a kernel that nobody started, until it is known not to be a crash kernel's. */
  private silentDeath: { line: LogLine; release: string | undefined } | undefined;

  /** Whether a death is not decided yet. */
  get waits(): boolean {
    return this.silentDeath !== undefined;
  }

  /**
   * A kernel starts. What waits is to be taken (`unsaid`) before.
   * @param before the text that stood before its first message
   */
  begin(line: LogLine, release: string, before: string): void {
    // a logger stops before the kernel says that it was told to reboot: only a console shows a silent death
    const first = line.host === undefined && (line.timestamp ?? 1) < 0.5;
    if (!this.diesAloud && first && endedSuddenly(before)) this.silentDeath = { line, release: this.release };
    this.diedAloud = this.diesAloud;
    this.diedRelease = this.release;
    this.diesAloud = false;
    this.afterBoot = this.release !== undefined && !this.capture;
    this.release = release;
    this.capture = false;
    this.bootLine = line;
  }

  /** Whether a line is a command line that makes the kernel that is speaking a crash kernel. */
  isCaptureKernels(text: string): boolean {
    return this.afterBoot && /^(?:Kernel c|C)ommand line: .{0,4000}\belfcorehdr=/.test(text);
  }

  /** The kernel that is speaking is a crash kernel. @returns the death of the one before it, if that has not said why */
  captureKernel(line: LogLine): SilentDeath | null {
    const silent = !this.diedAloud;
    this.silentDeath = undefined;
    this.afterBoot = false;
    this.diedAloud = false;
    this.capture = true;
    if (!silent) return null;
    const title = 'kernel died without a message: its crash kernel started';
    return { title, first: this.bootLine ?? line, last: line, release: this.diedRelease };
  }

  /** Another kernel started, and neither an incident nor a reboot that was asked for explains it; null for no such death. */
  unsaid(): SilentDeath | null {
    const death = this.silentDeath;
    if (death === undefined) return null;
    this.silentDeath = undefined;
    const title = 'kernel died without a message: another kernel started';
    return { title, first: death.line, last: death.line, release: death.release };
  }

  /** As `unsaid`, once line `number` is too late for a crash kernel's command line. */
  unsaidBy(number: number): SilentDeath | null {
    const death = this.silentDeath;
    return death !== undefined && number - death.line.number > commandLineWithin ? this.unsaid() : null;
  }
}
