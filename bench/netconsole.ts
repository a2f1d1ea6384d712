// How many netconsole packets a second `inquest listen` takes on one core, beside a bare receive of Node's and, where it is
// built, netconsd. Needs a C compiler for the sender.
//
// Usage: node bench/netconsole.ts [--rate 100000] [--seconds 10] [--hosts 1000] [--sizes even|short] [--netconsd PROGRAM [--module FILE]]
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../test/support/udp_sender.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '10' },
    hosts: { type: 'string', default: '1000' },
    sizes: { type: 'string', default: 'even' },
    netconsd: { type: 'string' },
    // what netconsd writes with; without one it drops what it has put together
    module: { type: 'string' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'inquest-bench-'));
const sender = join(folder, 'sender');
const compiled = spawnSync('cc', ['-O2', '-o', sender, 'bench/netconsole_sender.c'], { stdio: 'inherit' });
if (compiled.status !== 0) throw new Error('the sender needs a C compiler');

/** Seconds of processor time that a process and its threads used. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function peakMemory(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024;
}

/** @param received counts that the receiver tells of itself; null: it tells none */
async function measure(
  name: string,
  child: ChildProcess,
  port: number,
  received: (() => Promise<number>) | null,
): Promise<void> {
  const pid = child.pid!;
  const send = async (seconds: string): Promise<number> => {
    const process = spawn(sender, [values.hosts, values.rate, seconds, String(port), values.sizes], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(process.stdout, 'data')) as [Buffer];
    // what waits in sockets is read, and counts are told once a second
    await setTimeout(3000);
    return Number(line.toString().split(' ')[0]);
  };
  // files are made and code is compiled by what comes first
  await send('2');
  const [before, gotBefore] = [processorTime(pid), (await received?.()) ?? 0];
  const sent = await send(values.seconds);
  const got = received === null ? sent : (await received()) - gotBefore;
  const each = ((processorTime(pid) - before) / got) * 1e6;
  console.log(
    `${name}: ${sent} packets sent, ${received === null ? '' : `${sent - got} lost, `}${each.toFixed(2)} us a packet: ${Math.round(1e6 / each)} a second on one core; peak ${peakMemory(pid).toFixed(0)} MB`,
  );
  child.kill('SIGINT');
  await once(child, 'exit');
}

try {
  const bare = await freePort();
  await measure(
    'bare receive',
    spawn(process.execPath, [
      '-e',
      `for (let n = 0; n < 16; n++) { const socket = require('node:dgram').createSocket({ type: 'udp4', reusePort: true, recvBufferSize: 8 << 20 }); socket.on('message', () => {}); socket.bind(${bare}, '127.0.0.1'); }`,
    ]),
    bare,
    null,
  );
  const port = await freePort();
  const metrics = await freePort();
  const limits = ['--max-packets', '1000000', '--max-bytes', '1000M', '--metrics-port', String(metrics)];
  const listen = ['listen', join(folder, 'logs'), '-p', String(port), '--address', '127.0.0.1', ...limits];
  const child = spawn(process.execPath, ['dist/inquest.js', ...listen], { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(child.stderr!, 'data');
  child.stderr!.on('data', (text: Buffer) => process.stderr.write(text));
  await measure('inquest listen', child, port, async () => {
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    return Number(/^inquest_packets_total (\d+)/m.exec(text)![1]);
  });
  if (values.netconsd !== undefined) {
    const other = await freePort();
    const modules = values.module === undefined ? [] : [values.module];
    const said = openSync(join(folder, 'netconsd'), 'w');
    const daemon = spawn(values.netconsd, ['-u', String(other), '-l', '1', '-w', '1', ...modules], {
      cwd: folder,
      stdio: ['ignore', said, said],
    });
    await measure('netconsd', daemon, other, null);
    // it counts when it is told to end: those that came first, too
    console.log(/Total messages .*: \d+/.exec(readFileSync(join(folder, 'netconsd'), 'latin1'))?.[0] ?? '');
  }
} finally {
  rmSync(folder, { recursive: true });
}
