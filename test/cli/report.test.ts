// The program on a whole dump: reports in every format, the shell's options, logs. The dump is made by the test, and
// its texts are hostile.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { smallDump } from '../robustness/small_kernel.ts';
import { inquest } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'inquest-report-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const vmcore = join(folder, 'vmcore');
writeFileSync(vmcore, smallDump());

/** What stands where in an object, down to `depth`: names and kinds of values. */
const keys = (object: object): string[] => Object.keys(object).sort();
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

describe('report --json', () => {
  test('has every field that scripts rely on', async () => {
    const { status, stdout } = await inquest(['report', '--json', vmcore]);
    assert.equal(status, 0);
    const report = JSON.parse(stdout);
    const has = (object: object, ...names: string[]): void => {
      for (const name of names) assert.ok(keys(object).includes(name), `${name} of ${keys(object)}`);
    };
    has(report.dump, 'format', 'compression', 'level', 'pages');
    has(report.kernel, 'release', 'version', 'arch', 'nodename', 'crashTime', 'uptimeSeconds');
    has(report.panic, 'kind', 'title', 'message', 'cpu', 'pid', 'comm', 'rip', 'faultAddress');
    assert.ok(Array.isArray(report.backtrace) && Array.isArray(report.findings) && Array.isArray(report.faults));
    has(report.panic.rip, 'symbol', 'offset', 'module');
    assert.deepEqual([report.panic.kind, report.kernel.arch, report.dump.format], ['null-pointer', 'x86_64', 'kdump']);
    for (const finding of report.findings) {
      has(finding, 'title', 'evidence', 'confidence');
      for (const evidence of finding.evidence) has(evidence, 'command', 'name', 'data', 'marks', 'why');
    }
    for (const fault of report.faults) has(fault, 'what', 'code', 'message');
    // what could not be read is told, once
    const told = report.faults.map((fault: { what: string; message: string }) => `${fault.what}: ${fault.message}`);
    assert.equal(new Set(told).size, told.length);
  });

  test('without a command word, and with --format json, is the same', async () => {
    const runs = await Promise.all([
      inquest(['report', '--json', vmcore]),
      inquest([vmcore, '--format', 'json']),
      inquest(['--json', vmcore]),
    ]);
    for (const { stdout } of runs) assert.equal(stdout, runs[0]!.stdout);
  });
});

for (const format of ['text', 'markdown', 'html'] as const) {
  test(`report as ${format}: what killed it comes first, nothing of the dump does harm`, async () => {
    const { status, stdout, stderr } = await inquest(['report', vmcore, '--format', format]);
    assert.deepEqual([status, stderr], [0, '']);
    assert.doesNotMatch(stdout, controls);
    if (format === 'html') assert.doesNotMatch(stdout, /<script>alert/);
    const start = stdout.replace(/<style>[\s\S]*?<\/style>/, '').slice(0, 1500);
    assert.match(start, /NULL pointer/);
  });
}

test('report -o writes a file and prints nothing', async () => {
  const file = join(folder, 'report.html');
  const { status, stdout } = await inquest([vmcore, '--format', 'html', '-o', file]);
  assert.deepEqual([status, stdout], [0, '']);
  assert.match(readFileSync(file, 'utf8'), /^<!doctype html>/i);
});

describe('crash', () => {
  test('-c commands in order, with their output alone on standard output', async () => {
    const { status, stdout } = await inquest(['crash', vmcore, '-c', 'p nr_cpu_ids', '-c', 'ps | wc -l', '-c', '# no']);
    assert.equal(status, 0);
    assert.match(stdout, /^nr_cpu_ids = \$1 = 2\n\s*\d+\n$/);
  });

  test('a command that fails: the others run, and the exit status says so', async () => {
    const { status, stdout, stderr } = await inquest(['crash', vmcore, '-c', 'frobnicate', '-c', 'p nr_cpu_ids']);
    assert.equal(status, 1);
    assert.match(stdout, /nr_cpu_ids = /);
    assert.match(stderr, /frobnicate/);
  });

  test('--json: a line for each command, also for one that fails', async () => {
    const { stdout } = await inquest(['crash', vmcore, '--json', '-c', 'ps', '-c', 'bt 99999', '-c', 'frobnicate']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ command, data, error }) => [command, data !== null, error?.code]),
      [
        ['ps', true, undefined],
        ['bt 99999', false, 'usage'],
        ['frobnicate', false, 'not-found'],
      ],
    );
    assert.ok(Array.isArray(lines[0].faults));
  });

  test('-i runs the lines of a file, up to exit', async () => {
    const file = join(folder, 'commands');
    writeFileSync(file, 'p nr_cpu_ids\nexit\np nr_threads\n');
    const { status, stdout } = await inquest(['crash', '-s', vmcore, '-i', file]);
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /nr_threads/);
  });

  test('commands from standard input', async () => {
    const { status, stdout } = await inquest(['crash', '-s', vmcore], { input: 'p nr_cpu_ids\nq\n' });
    assert.deepEqual([status, stdout], [0, 'nr_cpu_ids = $1 = 2\n']);
  });

  test('output to a file, and added to it', async () => {
    const file = join(folder, 'out');
    await inquest(['crash', vmcore, '-c', `p nr_cpu_ids > ${file}`, '-c', `p nr_cpu_ids >> ${file}`]);
    assert.equal(readFileSync(file, 'utf8'), 'nr_cpu_ids = $1 = 2\nnr_cpu_ids = $2 = 2\n');
  });
});

describe('log and oops', () => {
  test('the log of a dump, safe to print', async () => {
    const { status, stdout } = await inquest(['log', vmcore]);
    assert.equal(status, 0);
    assert.match(stdout, /^\[ +0\.000000\] Linux version 6\.12\.0-synthetic\n/);
    assert.doesNotMatch(stdout, controls);
  });

  test('a text from standard input, with every incident explained', async () => {
    const text = (await inquest(['log', vmcore])).stdout;
    const [dump, piped] = await Promise.all([
      inquest(['oops', vmcore, '--title']),
      inquest(['oops', '-', '--title'], { input: text }),
    ]);
    assert.equal(piped.stdout, dump.stdout);
    assert.match(dump.stdout, /NULL pointer dereference/);
    assert.equal(dump.status, 0);
  });

  test('--json is what the report knows of the death', async () => {
    const [oops, report] = await Promise.all([inquest(['oops', '--json', vmcore]), inquest(['--json', vmcore])]);
    const death = JSON.parse(oops.stdout.trimEnd().split('\n').at(-1)!);
    const { panic } = JSON.parse(report.stdout);
    assert.deepEqual([death.title, death.signature], [panic.title, panic.signature]);
  });
});

test('info: the container, the kernel, and what can be read', async () => {
  const [text, json] = await Promise.all([inquest(['info', vmcore]), inquest(['info', '--json', vmcore])]);
  assert.deepEqual([text.status, json.status], [0, 0]);
  assert.match(text.stdout, /kdump/);
  assert.match(text.stdout, /zlib/);
  assert.doesNotMatch(text.stdout, controls);
  assert.equal(typeof JSON.parse(json.stdout), 'object');
});
