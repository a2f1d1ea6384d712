// A small picture in a temporary folder, and the world around it, for tests of facts.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Fact, World } from '../../lab/fact.ts';
import { Picture } from '../../lab/picture.ts';
import { Tally } from '../../lab/tally.ts';

/** Writes files by their path in the picture; they are deleted after the test. */
export function pictureOf(test: TestContext, files: Record<string, string>): Picture {
  const folder = mkdtempSync(join(tmpdir(), 'lab-test-'));
  test.after(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries({ uptime: '20.00 30.00\n', ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return new Picture(folder);
}

/** The files of one task of a picture. */
export function task(
  tid: number,
  more: {
    pid?: number;
    ppid?: number;
    comm?: string;
    state?: string;
    cpu?: number;
    switches?: number;
    stack?: string;
  } = {},
) {
  const { pid = tid, ppid = 1, comm = 'sh', state = 'S', cpu = 0, switches = 5, stack = '' } = more;
  const at = `${pid}/task/${tid}`;
  return {
    [`${at}/status`]: `Name:\t${comm}\nState:\t${state} (x)\nTgid:\t${pid}\nPid:\t${tid}\nPPid:\t${ppid}\nvoluntary_ctxt_switches:\t${switches}\nnonvoluntary_ctxt_switches:\t0\n`,
    [`${at}/stat`]: `${tid} (${comm}) ${state} ${Array.from({ length: 35 }, () => 0).join(' ')} ${cpu} 0\n`,
    [`${at}/stack`]: stack,
  };
}

/** Runs a fact on texts of commands. `ran` tells which tasks ran since the picture. */
export function compared(fact: Fact, picture: Picture, texts: readonly string[], more: Partial<World> = {}): Tally {
  const tally = new Tally();
  const world: World = {
    picture,
    scenario: { verdict: { kind: 'null-pointer', at: 'perish_sum' } },
    record: {
      kernel: '6.12',
      release: '6.12.1-test',
      scenario: 'null',
      format: 'zlib',
      level: 31,
      memory: 800,
      cpus: 2,
    },
    machine: 'x86_64',
    pageSize: 4096,
    gone: null,
    made: null,
    dmesgOfMakedumpfile: undefined,
    ranSince: () => undefined,
    ...more,
  };
  fact.compare(world, texts, tally);
  return tally;
}

export function counts(tally: Tally): readonly [equal: number, explained: number, wrong: number] {
  return [tally.equal, tally.explained, tally.wrong];
}
