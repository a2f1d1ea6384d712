// Completion scripts and man pages: made of what the program declares, so that they cannot fall behind its help.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { inquest } from './run.ts';

const said = async (...args: string[]): Promise<string> => {
  const { status, stdout, stderr } = await inquest(args);
  assert.equal(status, 0, stderr);
  return stdout;
};
/** Jobs of `inquest --help`, and options of a job's help. */
const jobs = [...(await said('--help')).matchAll(/^ {2}([a-z]+) (?:\[|<|\|)/gm)]
  .map(([, name]) => name!)
  .filter((name) => name !== 'help');
const optionsOf = async (job: string): Promise<string[]> =>
  [...(await said(job, '--help')).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)]
    .map(([, flag]) => flag!)
    .filter((flag) => flag !== '--help');

test('completion knows every job and every option that help shows', async () => {
  assert.ok(jobs.length >= 10, jobs.join(' '));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await said('completion', shell);
    for (const job of ['report', 'crash', 'save']) {
      assert.match(script, new RegExp(`\\b${job}\\b`));
      for (const flag of await optionsOf(job))
        assert.ok(script.includes(shell === 'fish' ? `-l ${flag.slice(2)} ` : flag), `${shell}: ${job} ${flag}`);
    }
  }
});

test("bash's completion answers", {
  skip: spawnSync('bash', ['-c', 'true']).status === 0 ? false : 'no bash',
}, async () => {
  const script = await said('completion', 'bash');
  const complete = (...words: string[]): string[] => {
    const typed = words.map((word) => `'${word}'`).join(' ');
    const line = `${script}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _inquest; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    assert.equal(stderr, '');
    return stdout.split('\n').filter(Boolean);
  };
  assert.deepEqual(complete('inquest', 'cra'), ['crash']);
  assert.deepEqual(complete('inquest', 'report', '--form'), ['--format']);
  assert.deepEqual(complete('inquest', 'report', '--format', 'm'), ['markdown']);
  assert.deepEqual(complete('inquest', 'crash', '-c', 'km'), ['kmem']);
  assert.ok(complete('inquest', 'crash', '-c', '').includes('bt'));
});

test('the man pages have every job, and every command with its options', async () => {
  const program = (await said('man', 'inquest')).replaceAll('\\-', '-');
  for (const job of jobs) assert.ok(program.includes(`.SH ${job.toUpperCase()}\n`), job);
  for (const flag of await optionsOf('report')) assert.ok(program.includes(flag), flag);
  const crash = (await said('man', 'inquest-crash')).replaceAll('\\-', '-');
  for (const [name, option] of [
    ['bt', '-a'],
    ['kmem', '-i'],
    ['foreach', ''],
    ['explain', 'GFP_ATOMIC'],
  ] as const) {
    const page = crash.split(`.SS ${name} - `)[1]?.split('.SS ')[0];
    assert.ok(page?.includes(option), `${name} ${option}`);
  }
  // nothing of a text is taken for a request
  const requests = new Set([...`${program}\n${crash}`.matchAll(/^([.'].*?)(?: |$)/gm)].map(([, request]) => request));
  assert.deepEqual([...requests].sort(), [
    '.B',
    '.BR',
    '.PP',
    '.SH',
    '.SS',
    '.TH',
    '.TP',
    '.ad',
    '.br',
    '.fi',
    '.nf',
    '.nh',
  ]);
});
