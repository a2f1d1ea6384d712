// A crash on purpose: what was expected is written down before, and compared after the reboot.
import type { Crash } from './crashes.ts';
import type { HostRoot } from './root.ts';

export const testRecordPath = '/var/lib/inquest/kdump/test.json';

export interface CrashTest {
  /** ms since 1970. */
  readonly started: number;
  readonly bootId: string;
  readonly mini: boolean;
  readonly full: boolean;
  /** Targets as they are named. */
  readonly targets: readonly string[];
}

export function readCrashTest(root: HostRoot): CrashTest | null {
  try {
    const value = JSON.parse(root.text(testRecordPath) ?? 'null') as CrashTest | null;
    return value !== null && typeof value.started === 'number' && Array.isArray(value.targets) ? value : null;
  } catch {
    return null;
  }
}

export interface CrashTestResult {
  readonly passed: boolean;
  /** One line each: what arrived, when, or what is missing. */
  readonly lines: readonly string[];
}

/** How a test went, by what was found after the reboot. */
export function crashTestResult(test: CrashTest, crashes: readonly Crash[], bootId: string | null): CrashTestResult {
  if (bootId === test.bootId)
    return { passed: false, lines: ['the machine did not reboot since: the crash did not happen'] };
  const crash = crashes.find(({ time, record }) => time >= test.started && record !== null);
  if (crash?.record == null) return { passed: false, lines: ['no crash since then lies in a target of this machine'] };
  const { steps, memory } = crash.record;
  const lines: string[] = [`${crash.path}: ${crash.verdict ?? 'no verdict'}`];
  const startedAfter = crash.record.startedAfter ?? null; // an older program's record does not have it
  const when = (uptime: number): string =>
    startedAfter === null
      ? `${uptime.toFixed(1)} s after the capture kernel started`
      : `${(startedAfter + uptime).toFixed(1)} s after the panic`;
  let passed = crash.verdict !== null;
  const wanted = ['verdict', ...(test.mini ? ['mini'] : []), ...(test.full ? ['full'] : [])];
  for (const target of test.targets) {
    for (const step of wanted) {
      const tries = steps.filter((one) => one.at === target && one.step === step);
      const done = tries.find(({ isGood }) => isGood);
      const isElsewhere =
        step === 'full' &&
        done === undefined &&
        tries.length === 0 &&
        steps.some((one) => one.step === 'full' && one.isGood);
      if (done !== undefined)
        lines.push(`${target}: ${step} arrived ${when(done.to)}${done.by === '' ? '' : ` (${done.by})`}`);
      else if (isElsewhere) lines.push(`${target}: full is at a target before it`);
      else {
        passed = false;
        lines.push(`${target}: ${step} DID NOT ARRIVE${tries[0] === undefined ? '' : `: ${tries[0].problem}`}`);
      }
    }
  }
  lines.push(
    `the capture kernel had at least ${Math.round(memory.least / 2 ** 20)} of ${Math.round(memory.total / 2 ** 20)} MiB free`,
  );
  return { passed, lines };
}
