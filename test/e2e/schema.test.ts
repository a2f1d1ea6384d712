// What commands print as JSON is what their schemas say, made of their types.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type SchemaFile, schemaOf } from '../../src/cli/schema.ts';
import { sessionCommands } from '../../src/cli/session/entries.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { openDump } from '../../src/index.ts';
import { findIncidents } from '../../src/oops/scanner.ts';
import { renderReport } from '../../src/report/render.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { analyse } from '../../src/triage/analyse.ts';
import { inquest, program } from '../cli/run.ts';
import { hostTree, readyMachine, type Tree } from '../support/host_tree.ts';
import { violations } from '../support/json_schema.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What a kernel printed when it died. */
const deadlyLog = join(root, 'test', 'oops', 'corpus', 'lab-6.1-list.txt');
const folder = mkdtempSync(join(tmpdir(), 'inquest-schemas-'));
let file: SchemaFile;

before(() => {
  const path = join(folder, 'schemas.json');
  execFileSync(process.execPath, [join(root, 'scripts', 'schemas.mjs'), path], { cwd: root });
  file = JSON.parse(readFileSync(path, 'utf8')) as SchemaFile;
});
after(() => rmSync(folder, { recursive: true, force: true }));

// biome-ignore format: a list
const lines = [
  'ascii', 'bt', 'bt -a', 'bt -e', 'bt -l', 'bpf', 'cgroup', 'dev', 'dis schedule 5', 'eval 1+1', 'explain oops', 'files', 'foreach bt',
  'fuser /dev/null', 'help bt', 'ipcs', 'irq', 'irq -s', 'kmem -i', 'kmem -s', 'kmem -p init_task', 'kmem -v', 'kmem -z', 'kmem -V',
  'list init_task.tasks', 'log', 'log -T', 'mach', 'mod', 'mount', 'net', 'p init_task', 'p jiffies', 'ps', 'ps -c 1', 'ps -p 2', 'ps -t',
  'ptov 0', 'rd init_task 8', 'report', 'runq', 'search -k 0xdeadbeef', 'set', 'sig 1', 'struct task_struct', 'struct task_struct.pid init_task',
  'swap', 'sym schedule', 'sym nosuch', 'sys', 'task 1', 'timer', 'tree -t rbtree vmap_area_root', 'vm 1', 'vtop init_task', 'waitq init_task',
  'whatis task_struct', 'wq', 'runq -t', 'oops', 'pte 0x63', 'btop 1000', 'vm -m 1',
  'find init_task', 'frames', 'io', 'lock', 'ptob 1', 'rustfilt _RNvC3foo3bar', 'stacks', 'trace', 'union thread_union', 'refs init_task', 'set -v',
  'net -a', 'net -s 1', 'ps -a 1', 'ps -g 1', 'ps -l', 'ps -m', 'ps -r 1', 'ps -s', 'ps -S', 'sys -i', 'sys -t', 'kmem -f', 'kmem -n', 'kmem -S kmalloc-64',
  'mod -t', 'irq -a', 'dev -d', 'dev -i', 'dev -p', 'ipcs -s', 'list -h init_task.tasks task_struct.tasks', 'whatis jiffies', 'struct list_head.next init_task',
  'bt -f 1', 'bt -E', 'log -a', 'rd -s init_task 8', 'foreach files', 'foreach task', 'foreach vm', 'vm -p 1', 'files -d 1', 'timer -r', 'swap', 'sym -l', 'eval -b 5',
];

test('every command has a schema', () => {
  const missing = [...sessionCommands().keys()].filter((name) => !Object.hasOwn(file.schemas, name));
  assert.deepEqual(missing, []);
});

test('what commands print on the sample is as their schemas have it', async () => {
  const kernel = openDump(join(root, 'samples', 'vmcore'));
  let printed = '';
  const session = new ShellSession(
    new CommandContext(kernel),
    sessionCommands(),
    {
      write: (text) => {
        printed += text;
        return true;
      },
      warn: () => {},
    },
    { json: true },
  );
  let succeeded = 0;
  const failed: string[] = [];
  const wrong: string[] = [];
  for (const line of lines) {
    printed = '';
    await session.run(line);
    const data = JSON.parse(printed) as { error?: unknown };
    if (data.error !== undefined) {
      failed.push(line);
      continue;
    }
    succeeded++;
    wrong.push(
      ...violations(schemaOf(file, line.split(' ')[0]!), data)
        .slice(0, 5)
        .map((what) => `${line}: ${what}`),
    );
  }
  assert.deepEqual(wrong, []);
  assert.ok(succeeded > lines.length * 0.9, `no data: ${failed.join(', ')}`);

  const context = new CommandContext(kernel);
  const analysis: unknown = JSON.parse(renderReport(analyse(context), 'json', { colour: false, width: 100 }));
  assert.deepEqual(violations(schemaOf(file, 'inquest-report'), analysis).slice(0, 5), []);
  const incidents: unknown[] = findIncidents(readFileSync(deadlyLog));
  assert.equal(incidents.length, 1);
  for (const incident of incidents) {
    const json: unknown = JSON.parse(JSON.stringify(incident));
    assert.deepEqual(violations(schemaOf(file, 'inquest-oops'), json).slice(0, 5), []);
  }
  kernel.close();
});

/** Jobs of the program that have --json, as they are declared: `kdump size`. */
function jobsWithJson(): readonly string[] {
  const found: string[] = [];
  for (const name of ['main', 'save_commands', 'collect_commands', 'kdump_commands']) {
    const text = readFileSync(join(root, 'src', 'cli', `${name}.ts`), 'utf8');
    for (const part of text.split(/(?=\b(?:program|kdump)\s*\.command\()/).slice(1)) {
      const [, parent, job] = /^(program|kdump)\s*\.command\((?:'(\w+)')?/.exec(part)!;
      if (!part.includes("'--json'")) continue;
      const names = job === undefined ? ['status', 'check'] : [job];
      found.push(...names.map((one) => (parent === 'kdump' ? `kdump-${one}` : one)));
    }
  }
  return found;
}

test('every job of the program that prints JSON has a schema', () => {
  const jobs = jobsWithJson();
  assert.ok(jobs.length >= 19, jobs.join());
  // crash prints a line for each command, which has its own
  const missing = jobs.filter((job) => job !== 'crash' && !Object.hasOwn(file.schemas, `inquest-${job}`));
  assert.deepEqual(missing, []);
});

test('what jobs of the program print is as their schemas have it', async () => {
  const sample = join(root, 'samples', 'vmcore');
  const log = join(root, 'samples', 'truth', 'dmesg');
  const host = join(folder, 'host');
  const records = join(folder, 'pstore');
  const held: Readonly<Record<string, readonly string[]>> = {
    info: [sample],
    debuginfo: [sample],
    incident: [log],
    explain: ['rcu-stall'],
    log: [log],
    mce: [log],
    verify: [sample],
    audit: [sample],
    estimate: [sample],
    pstore: [records],
    netconsole: ['192.0.2.1', '--device', 'lo'],
    same: [sample, sample],
    salvage: [sample, join(folder, 'salvaged')],
    save: ['--mini', sample, join(folder, 'saved')],
    report: [sample],
    oops: [sample],
    'kdump status': ['--root', host],
    'kdump show': ['--root', host],
    'kdump check': ['--root', host],
    'kdump size': ['--root', host],
    'kdump list': ['--root', host],
  };
  mkdirSync(host);
  mkdirSync(records);
  copyFileSync(log, join(records, 'dmesg-ramoops-0'));
  for (const [job, args] of Object.entries(held)) {
    const { stdout, stderr } = await inquest([...job.split(' '), '--json', ...args]);
    const schema = schemaOf(file, `inquest-${job.replace(' ', '-')}`);
    // a document, or a line each
    const documents = job === 'log' || job === 'oops' ? stdout.trim().split('\n') : [stdout];
    assert.notEqual(stdout, '', `${job}: ${stderr}`);
    for (const document of documents.slice(0, 50)) {
      assert.deepEqual(violations(schema, JSON.parse(document)).slice(0, 5), [], job);
    }
  }
});

/** Settings of each kind, with what is told of them: targets, remarks, what is left out. */
const settings: Readonly<Record<string, Tree>> = {
  "Fedora's": {
    '/etc/kdump.conf':
      'ext4 /dev/vda1\npath /var/crash\ncore_collector makedumpfile -l --message-level 7 -d 31\nfailure_action shell\nnosuch word\n',
    '/etc/sysconfig/kdump': 'KDUMP_COMMANDLINE_APPEND="irqpoll nr_cpus=1"\n',
  },
  "Fedora's, by SSH": { '/etc/kdump.conf': 'ssh kdump@192.0.2.1\nsshkey /root/.ssh/kdump\npath /crash\n' },
  "Debian's": {
    '/etc/default/kdump-tools': 'USE_KDUMP=1\nNFS="192.0.2.1:/crash"\nMAKEDUMP_ARGS="-c -d 31"\nNOSUCH=1\n',
  },
  "SUSE's": {
    '/etc/sysconfig/kdump': 'KDUMP_SAVEDIR="file:///var/crash"\nKDUMP_DUMPLEVEL="31"\nKDUMP_KEEP_OLD_DUMPS=5\n',
  },
  "inquest's": {
    '/etc/inquest/kdump.toml':
      'level = 31\nmini = true\nwrong = 1\n[[target]]\ntype = "directory"\npath = "/var/crash"\n[[target]]\ntype = "https"\nurl = "https://192.0.2.1/x"\n',
  },
};

test('what kdump jobs print of machines that are set up is as their schemas have it', async () => {
  for (const [whose, tree] of Object.entries(settings)) {
    const { dir } = hostTree({ ...readyMachine, ...tree });
    for (const job of ['show', 'status', 'check', 'size']) {
      const { stdout, stderr } = await inquest(['kdump', job, '--json', '--root', dir]);
      assert.notEqual(stdout, '', `${whose} ${job}: ${stderr}`);
      const printed = JSON.parse(stdout) as { readonly targets?: readonly string[] };
      assert.deepEqual(violations(schemaOf(file, `inquest-kdump-${job}`), printed).slice(0, 5), [], `${whose} ${job}`);
      if (job === 'show') assert.ok(printed.targets!.length > 0, whose);
    }
  }
});

test('what inquest listen prints of an incident is as its schema has it', async () => {
  const log = join(folder, 'console.log');
  writeFileSync(log, '');
  const child = spawn(process.execPath, [program(), 'listen', join(folder, 'logs'), '--json', '--follow', log], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  try {
    await once(child.stderr, 'data'); // it follows
    appendFileSync(log, readFileSync(deadlyLog));
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += String(chunk);
      if (printed.includes('\n')) break;
    }
    const alert = JSON.parse(printed.split('\n')[0]!) as { host: string };
    assert.deepEqual(violations(schemaOf(file, 'inquest-listen'), alert).slice(0, 5), []);
    assert.notDeepEqual(violations(schemaOf(file, 'inquest-listen'), { ...alert, host: 1 }), []);
  } finally {
    child.kill();
    await ended;
  }
});

test('a schema is held: data that it does not describe is seen', () => {
  const schema = schemaOf(file, 'mod');
  assert.notDeepEqual(violations(schema, {}), []);
  assert.notDeepEqual(violations(schema, { command: 'mod', data: { modules: [{ name: 1 }] }, faults: [] }), []);
});
