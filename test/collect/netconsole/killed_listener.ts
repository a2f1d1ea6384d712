// Kills `inquest listen` in the middle of a flood and looks at what it left, for tests.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { extendedPackets } from '../../support/netconsole_writer.ts';
import { freePort, UdpSender } from '../../support/udp_sender.ts';

/** How long before the kill the last record in the files was received, in ms. */
export interface Kill {
  readonly lost: number;
  readonly sent: number;
  readonly inFiles: number;
}

/** @param rate packets a second @param slack in ms, beyond the 100 that may be lost: a machine that does other work */
export async function killListener(kills: number, rate: number, slack: number): Promise<Kill[]> {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-killed-'));
  const results: Kill[] = [];
  let sequence = 1;
  let before = '';
  let next: number | null = null;
  const port = await freePort();
  const sender = await UdpSender.open(port);
  const began = Date.now();
  const own = join(folder, sender.folder);
  try {
    for (let kill = 0; kill < kills; kill++) {
      const child = spawn(
        process.execPath,
        [
          resolve('src/cli/main.ts'),
          'listen',
          folder,
          '-p',
          String(port),
          '--address',
          '127.0.0.1',
          '--max-packets',
          '1000000',
          '--max-bytes',
          '1000M',
          '--file-size',
          '16M',
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      await once(child.stderr, 'data');
      const first = sequence;
      const exited = once(child, 'exit');
      const until = performance.now() + 300 + ((kill * 37) % 100);
      for (let last = performance.now(); performance.now() < until; ) {
        await setTimeout(2);
        const now = performance.now();
        const due = Math.ceil(((now - last) / 1000) * rate);
        last = now;
        const packets: Buffer[] = [];
        for (let n = 0; n < due; n++)
          packets.push(
            ...extendedPackets({
              sequence,
              microseconds: (Date.now() - began) * 1000 + 1,
              text: `line ${sequence++} ${'z'.repeat(80)}`,
            }),
          );
        await sender.send(packets);
      }
      child.kill('SIGKILL');
      const killed = Date.now();
      await exited;
      const { log, received } = filesOf(own);
      assert.ok(log.startsWith(before), 'a line that was in the file is gone');
      const lines = log.slice(0, log.lastIndexOf('\n') + 1);
      // what was there before has been looked at
      const last = checkLines(lines.slice(before.length), next);
      before = lines;
      next = last;
      const lost = killed - received;
      assert.ok(lost <= 100 + slack, `lost ${lost} ms`);
      results.push({ lost, sent: sequence - first, inFiles: last === null ? 0 : Math.max(0, last - first) });
    }
  } finally {
    sender.close();
    rmSync(folder, { recursive: true });
  }
  return results;
}

/**
 * Every line is whole, and the numbers have no gap that is not said.
 * @param first the number that comes first; null: any
 * @returns the number that comes next
 */
function checkLines(text: string, first: number | null): number | null {
  let next = first;
  for (const line of text.split('\n').slice(0, -1)) {
    const missing = /missing: (\d+)(?:-(\d+))? \*\*$/.exec(line);
    if (missing !== null) {
      assert.equal(Number(missing[1]), next);
      next = Number(missing[2] ?? missing[1]) + 1;
      continue;
    }
    const m = /^\[ *\d+\.\d{6}\] line (\d+) z{80}$/.exec(line);
    assert.ok(m !== null, `not whole: ${JSON.stringify(line)}`);
    assert.ok(next === null || Number(m[1]) === next, `${m[1]} follows ${next}`);
    next = Number(m[1]) + 1;
  }
  return next;
}

/** The log, of all the files that it has gone on in. */
function filesOf(folder: string): { log: string; received: number } {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const part = (name: string): number => Number(/\.(\d+)\.log$/.exec(name)?.[1] ?? 1);
  const logs = names.filter((name) => name.endsWith('.log')).sort((a, b) => part(a) - part(b));
  assert.equal(new Set(logs.map((name) => name.split('.')[0])).size, 1, `one boot: ${names.join(' ')}`);
  const log = logs.map((name) => readFileSync(join(folder, name), 'latin1')).join('');
  const records = readFileSync(join(folder, logs.at(-1)!.replace(/log$/, 'jsonl')), 'utf8');
  const last = records.slice(0, records.lastIndexOf('\n')).split('\n').at(-1)!;
  return { log, received: (JSON.parse(last) as { received: number }).received };
}
