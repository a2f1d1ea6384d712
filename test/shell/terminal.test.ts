// The shell by hand, in a real pseudo-terminal: script(1) has one. Left out where there is none.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempFiles } from '../support/dump_writers/temp_files.ts';
import { writeSyntheticDump } from '../support/synthetic_dump.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const hasTerminal = spawnSync('script', ['-qfec', 'true', '/dev/null']).status === 0;

/** Nodes of a list that closes on its middle: seconds of work for whoever follows it. */
const nodes = 2_000_000;

function dumpWithLongList(): { dump: Uint8Array; list: string } {
  const kernel = machine({ cpus: 1 });
  linkTasks(kernel, [newTask(kernel, { pid: 1, comm: 'init' })]);
  const start = kernel.reserve(nodes * 8);
  const links = new BigUint64Array(nodes);
  for (let i = 0; i < nodes; i++) links[i] = start + BigInt((i + 1) * 8);
  links[nodes - 1] = start + BigInt((nodes / 2) * 8);
  kernel.space.write(start, new Uint8Array(links.buffer));
  return { dump: writeSyntheticDump(kernel, { log: ['Linux version 6.12.0-synthetic'] }), list: start.toString(16) };
}

/** A shell in a terminal: what is typed, and what is seen. */
class Typist {
  private readonly child;
  /** Once the shell has ended, its history written. */
  readonly ended: Promise<unknown>;
  private screen = '';
  private changed: (() => void)[] = [];

  constructor(t: TestContext, file: string, term = 'dumb') {
    const command = `"${process.execPath}" "${main}" crash -s "${file}"`;
    // exec: a shell that stays would be ended by the first Ctrl-C of a command
    const size = term === 'dumb' ? '' : 'stty rows 24 cols 100; ';
    this.child = spawn('script', ['-qfec', `${size}exec ${command}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: term, NO_COLOR: '1', HOME: dirname(file), XDG_STATE_HOME: '' },
    });
    t.after(() => this.child.kill('SIGKILL'));
    this.ended = once(this.child, 'close');
    this.child.stdout.on('data', (data: Buffer) => {
      this.screen += data.toString('latin1');
      for (const look of this.changed.splice(0)) look();
    });
  }

  type(text: string): void {
    this.screen = '';
    this.child.stdin.write(text);
  }

  /** What was shown since the last `type`, once it has `wanted`. */
  async sees(wanted: RegExp, seconds = 100): Promise<string> {
    const end = Date.now() + seconds * 1000;
    while (!wanted.test(this.screen)) {
      const left = end - Date.now();
      if (left <= 0) assert.fail(`no ${wanted} within ${seconds} s in:\n${this.screen}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.screen;
  }
}

describe('the shell in a terminal', { skip: hasTerminal ? false : 'no script(1)' }, () => {
  test('Ctrl-C ends a command, and the session goes on with its caches', async (t) => {
    const { dump, list } = dumpWithLongList();
    const [file] = tempFiles(t, dump);
    const shell = new Typist(t, file!);
    await shell.sees(/crash> $/);
    // caches warm, as the promise has it
    shell.type(`list ${list} | head -1\r`);
    await shell.sees(/\r\n[0-9a-f]{16}\r\n[\s\S]*crash> $/);
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      shell.type(`list ${list} > /dev/null\r`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = performance.now();
      shell.type('\x03');
      const seen = await shell.sees(/crash> $/, 10);
      waits.push(performance.now() - before);
      assert.match(seen, /list: cancelled/);
    }
    // one of three, since a machine that does other things beside this may stop the best program
    assert.ok(Math.min(...waits) < 100, `back at the prompt after ${waits.map(Math.round).join(', ')} ms`);
    shell.type('set radix\r');
    assert.match(await shell.sees(/crash> $/), /radix: 10/);
    shell.type('quit\r');
    await shell.ended;
  });

  test('editing, looking back, completion, aliases, paging and progress, as fingers know them', async (t) => {
    const { dump, list } = dumpWithLongList();
    const [file] = tempFiles(t, dump);
    const shell = new Typist(t, file!, 'xterm');
    await shell.sees(/crash> /);
    const line = async (text: string, wanted: RegExp): Promise<string> => {
      shell.type(text);
      return shell.sees(wanted);
    };
    await line('set radix\r', /radix: 10[\s\S]*crash> /);
    await line('eval 3 + 4\r', /decimal: 7[\s\S]*crash> /);
    // several lines pasted at once
    await line('eval 100\reval 200\r', /decimal: 100 [\s\S]*decimal: 200 [\s\S]*crash> /);
    // Ctrl-R finds the latest line with what was typed, again the one before, and Enter runs it
    await line('\x12eval', /reverse-i-search\)'eval': eval 200/);
    await line('\x12', /'eval': eval 100/);
    await line('\x12', /'eval': eval 3 \+ 4/);
    await line('\r', /crash> eval 3 \+ 4[\s\S]*decimal: 7[\s\S]*crash> /);
    // what is found can be edited
    await line('\x12radix\x05', /crash> set radix/);
    await line(' 16\r', /radix: 16[\s\S]*crash> /);
    // nothing found, and left: the line that stood there
    await line('eval 9\x12nosuch', /failed reverse-i-search\)'nosuch': /);
    await line('\x07', /crash> eval 9/);
    await line('\r', /decimal: 9[\s\S]*crash> /);
    // the arrow, the Tab, and the beginning of the line
    await line('\x1b[A', /eval 9/);
    await line('\x01\x0b', /crash> /);
    // who types on while the line is completed loses nothing
    await line('eva\t 7 + 8\r', /decimal: 15[\s\S]*crash> /);
    await line('stac\t', /stacks/);
    await line('\x15', /crash> /);
    await line('alias sum eval\r', /sum +eval[\s\S]*crash> /);
    await line('sum 40 + 2\r', /decimal: 42[\s\S]*crash> /);
    await line('!!\r', /sum 40 \+ 2[\s\S]*decimal: 42[\s\S]*crash> /);
    await line('sumn 1\r', /did you mean "sum"/);
    // Ctrl-C that came too late for a command leaves nothing of the line, and the session there
    await line('\x03', /\^C[\s\S]*crash> /);
    await line('eval 9\x01\x03', /\^C[\s\S]*crash> /);
    await line('eval 5 + 6\r', /decimal: 11[\s\S]*crash> /);
    // longer than the screen: the pager has it until it is left
    await line('help all\r', /\x1b\[K$|:$|--More--/);
    await line('q', /crash> /);
    // a long command shows that it goes on, and Ctrl-C ends it
    await line(`repeat -9 list ${list} > /dev/null\r`, /repeat: (\d+ %, )?\d+ s/);
    await line('\x03', /\r\x1b\[K[\s\S]*crash> /);
    // Ctrl-D leaves, and nothing was wrong
    shell.type('\x04');
    assert.deepEqual(((await shell.ended) as readonly unknown[])[0], 0);
  });
});
