// A target over SSH: files are streamed into `cat` on the other side, under a name that is not the final one until they are whole.
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { targetText } from '../config/capture_config.ts';
import type { PlannedTarget } from '../initramfs/capture_plan.ts';
import { quoted } from '../initramfs/init_script.ts';
import { killGroup, runChild } from './child.ts';
import { type CrashName, type StreamTarget, sharedName, TargetError } from './open_target.ts';

/**
 * Reaches the host once, and makes the folder.
 * @throws TargetError, also where the host's key is another one than the pinned
 */
export async function openSsh(planned: PlannedTarget, crash: CrashName, seconds: number): Promise<StreamTarget> {
  const { target } = planned;
  if (target.kind !== 'ssh') throw new TargetError('not a target over SSH');
  const name = targetText(target);
  const folder = `${target.path}/${sharedName(crash)}`;
  const args = (command: string): string[] => [
    ...['-i', target.key, ...(target.port === null ? [] : ['-p', String(target.port)])],
    ...['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${target.knownHosts}`],
    ...['-o', 'GlobalKnownHostsFile=/dev/null', '-o', 'IdentitiesOnly=yes', '-o', `ConnectTimeout=${seconds}`],
    ...['-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=4'],
    ...[target.host, '--', command],
  ];
  const made = await runChild('ssh', args(`mkdir -p ${quoted(folder)}`), { seconds: seconds * 2 });
  if (!made.isGood) throw new TargetError(`${name}: ${made.problem}`);
  /** Takes standard input into a file, which gets its name when all of it came. */
  const receive = (file: string): string => {
    const path = `${folder}/${file}`;
    return `cat > ${quoted(`${path}.incomplete`)} && mv ${quoted(`${path}.incomplete`)} ${quoted(path)}`;
  };
  return {
    kind: 'stream',
    name,
    async put(file, bytes) {
      const { isGood, problem } = await runChild('ssh', args(receive(file)), { seconds, input: bytes });
      if (!isGood) throw new TargetError(`${name}: ${file}: ${problem}`);
    },
    async send(file, from: Readable, limit) {
      // a stream that ends too early must not be renamed: the name is given by a call of its own
      const path = `${folder}/${file}`;
      const child = spawn('ssh', args(`cat > ${quoted(`${path}.incomplete`)}`), {
        stdio: ['pipe', 'ignore', 'pipe'],
        detached: true,
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-1000);
      });
      const ended = new Promise<number | null>((resolve) => {
        child.on('close', resolve);
        child.on('error', () => resolve(null));
      });
      const timer = setTimeout(() => {
        said ||= `it took longer than ${limit} s`;
        killGroup(child);
        child.stderr.destroy();
      }, limit * 1000);
      try {
        await pipeline(from, child.stdin);
        if ((await ended) !== 0) throw new Error('ssh failed');
      } catch (error) {
        throw new TargetError(`${name}: ${file}: ${said.trim() || (error as Error).message}`);
      } finally {
        clearTimeout(timer);
      }
    },
    async finish(file) {
      const path = `${folder}/${file}`;
      const { isGood, problem } = await runChild('ssh', args(`mv ${quoted(`${path}.incomplete`)} ${quoted(path)}`), {
        seconds,
      });
      if (!isGood) throw new TargetError(`${name}: ${file}: ${problem}`);
    },
    async close() {},
  };
}
