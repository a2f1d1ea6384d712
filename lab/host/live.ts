// The running machine: inquest on a Debian that goes on, as its user would. Three looks:
//
//   at rest    every command that a fact of the lab needs, held against the machine's own /proc; their system calls
//   all        every command with every option (sweep.ts): none ends with an internal error
//   in motion  processes are born, file systems mounted and modules loaded all the while: what stays is always told right, or
//              the answer says that it raced
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Answers, asJson, reportCommand } from '../answers.ts';
import { Archive } from '../archive.ts';
import { asked, type Checked, hold, renderChecked } from '../check.ts';
import { fetchKernel } from '../fetch.ts';
import { type DebianSuite, kernelNamed } from '../kernels.ts';
import { Picture } from '../picture.ts';
import { place, projectFolder, say } from '../place.ts';
import { runProgram } from '../programs.ts';
import { type Entry, linesOf } from '../sweep.ts';
import { baseImage, overlay } from './image.ts';
import { bootMachine, type HostMachine } from './machine.ts';

/** Megabytes. */
const memory = 1536;
const device = { parcel: '/dev/vdb', results: '/dev/vdc' } as const;

/** The lab's kernel whose programs run on a suite. */
const kernelOf: Record<DebianSuite, string> = {
  bullseye: '5.10',
  bookworm: '6.1',
  trixie: '7.3',
  sid: 'newest',
  experimental: 'next',
};

export interface LiveOptions {
  /** How often it is asked while the machine moves. */
  readonly rounds: number;
  /** Whether every command is run with every option. */
  readonly all: boolean;
}

/** @returns what is wrong */
export async function live(suite: DebianSuite, { rounds, all }: LiveOptions): Promise<readonly string[]> {
  const base = await baseImage(suite);
  const folder = join(place.host(suite), 'live');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const parcel = join(folder, 'parcel');
  packParcel(suite, parcel, rounds);
  const results = join(folder, 'results');
  runProgram('truncate', ['-s', '512M', results]);
  const machine = await bootMachine({
    folder,
    name: 'live',
    disks: [
      { file: overlay(base, join(folder, 'disk.qcow2')), format: 'qcow2' },
      { file: parcel, format: 'raw' },
      { file: results, format: 'raw' },
    ],
    memory,
  });
  const wrong: string[] = [];
  try {
    await machine.run(
      `mkdir -p /root/lab && tar -x -C /root/lab -f ${device.parcel} && systemctl is-system-running --wait`,
      900,
    );
    await machine.run(
      'cd /root/lab && DEBIAN_FRONTEND=noninteractive dpkg -i inquest.deb debs/*.deb >/dev/null 2>&1 || dpkg -l inquest strace',
      900,
    );
    say('set up; it is asked at rest');
    await machine.run('bash /root/lab/rest', 3600);
    if (all) {
      say('every command with every option');
      wrong.push(...(await swept(machine)));
    }
    say(`in motion, ${rounds} times`);
    await machine.run('bash /root/lab/motion', 6 * 3600);
    await machine.run(
      `cd /root/lab/out && tar -c -f ${device.results} . $(cd / && ls -d tmp/lab-* | sed 's/^/-C \\/ /')`,
      600,
    );
    await machine.powerOff();
  } finally {
    await machine.stop();
  }
  const out = join(folder, 'out');
  mkdirSync(out);
  runProgram('tar', ['-x', '-C', out, '-f', results]);
  rmSync(results);
  return [...wrong, ...judgeLive(out, suite)];
}

/** What is wrong with what was brought from a machine. @param out the folder that its scripts filled */
export function judgeLive(out: string, suite: DebianSuite): readonly string[] {
  // facts look for what commands wrote where they told them to
  for (const file of globSync('tmp/lab-*', { cwd: out })) copyFileSync(join(out, file), join('/', file));
  const checked = atRest(out, suite);
  process.stdout.write(renderChecked(checked));
  return [
    ...traced(readFileSync(join(out, 'strace'), 'latin1')),
    ...checked.rows.flatMap(({ fact, tally }) => tally?.faults.map((fault) => `${fact}: ${fault}`) ?? []),
    ...inMotion(out),
  ];
}

/** The command lines of all facts, by whose numbers the answers are kept. */
const commandLines = (): readonly string[] =>
  // nothing is on swap here that could be sought in all memory of all processes
  asked().filter((command) => command !== reportCommand && !command.includes(' search '));

/** What is asked in turn while the machine moves. */
const moving = [
  'ps',
  'mod',
  'mount',
  'files $LASTING',
  'kmem -s',
  'foreach bt',
  'net',
  'timer',
  'foreach files',
  'kmem -i',
];

/** The disk that carries programs and scripts into the machine: a tar archive. */
function packParcel(suite: DebianSuite, file: string, rounds: number): void {
  const folder = `${file}.d`;
  mkdirSync(join(folder, 'debs'), { recursive: true });
  const [deb] = globSync('build/inquest_*_amd64.deb', { cwd: projectFolder });
  if (deb === undefined) throw new Error('there is no package: npm run package');
  copyFileSync(join(projectFolder, deb), join(folder, 'inquest.deb'));
  for (const path of new Archive(suite)
    .downloadWithDependencies(['strace'])
    .filter((path) => /strace|unwind/.test(path)))
    copyFileSync(path, join(folder, 'debs', basename(path)));
  const kernel = kernelNamed(kernelOf[suite]);
  fetchKernel(kernel);
  for (const program of ['picture', 'lively']) copyFileSync(join(place.kernel(kernel), program), join(folder, program));
  const script = (json: boolean): string =>
    commandLines()
      .map((command, i) => ({ command, i }))
      .filter(({ command }) => command.endsWith(asJson) === json)
      .map(
        ({ command, i }) =>
          `!echo "@@ ${i}" >&2\n${json ? command.slice(0, -asJson.length) : command} > /root/lab/out/${i}\n`,
      )
      .join('');
  writeFileSync(join(folder, 'text'), script(false));
  writeFileSync(join(folder, 'json'), script(true));
  writeFileSync(join(folder, 'rest'), rest);
  writeFileSync(join(folder, 'motion'), motion(rounds));
  writeFileSync(
    join(folder, 'sweep'),
    sweepLines()
      .map((line, i) => `!echo "@@ ${i} ${line}" >&2\n${line} > /dev/null\n`)
      .join(''),
  );
  runProgram('tar', ['-c', '-f', file, '--owner=0', '--group=0', '-C', folder, '.']);
  runProgram('truncate', ['-s', '%1M', file]);
  rmSync(folder, { recursive: true });
}

const rest = `cd /root/lab; mkdir -p out/picture; export TZ=UTC
./lively >/dev/null 2>&1 &
sleep 5; sync
./picture /root/lab/out/picture
strace -f -qq -s 300 -o out/strace -e trace=open,openat,openat2,creat,unlink,unlinkat,rename,renameat2,truncate,mkdir,mkdirat,symlinkat,linkat \\
  inquest crash -s -i text </dev/null >out/text.out 2>out/text.err
inquest crash -s --json -i json </dev/null >out/json.out 2>out/json.err
true
`;

const motion = (rounds: number): string => `cd /root/lab; mkdir -p out/motion
lasting() { "$@" >/dev/null 2>&1 </dev/null & sleep 1; echo $! $(cat /proc/$!/comm) >>out/motion/tasks; }
echo "1 $(cat /proc/1/comm)" >out/motion/tasks
for i in 1 2 3 4 5 6 7 8; do lasting sleep 100000; done
lasting ./lively
sleep 2; LASTING=$!
cut -d' ' -f1 /proc/modules | grep -v dummy >out/motion/modules
cut -d' ' -f5 /proc/self/mountinfo >out/motion/mounts
ls /proc/$LASTING/fd | wc -l >out/motion/files
(while sleep 1; do /bin/true & (/bin/echo x | /bin/cat >/dev/null); done) 2>/dev/null &
(while sleep 1; do mount -t tmpfs moving /mnt; echo x >/mnt/x; umount /mnt; done) 2>/dev/null &
(while sleep 2; do modprobe dummy; rmmod dummy; done) 2>/dev/null &
i=0
while [ $i -lt ${rounds} ]; do
  for c in ${moving.map((command) => `'${command}'`).join(' ')} report; do
    [ $i -lt ${rounds} ] || break
    i=$((i+1))
    if [ "$c" = report ]; then inquest report --live --json >out/motion/$i.json 2>out/motion/$i.err </dev/null
    else inquest crash -s --json -c "$(eval echo "$c")" >out/motion/$i.json 2>out/motion/$i.err </dev/null; fi
    echo "$? $c" >out/motion/$i.status
  done
done
kill $(jobs -p); true
`;

/** Every command with every option, but those that would stay or take the machine's time. */
function sweepLines(): readonly string[] {
  const help = runProgram(process.execPath, [
    ...[
      join(projectFolder, 'dist/inquest.js'),
      'crash',
      '-s',
      join(projectFolder, 'samples/vmcore'),
      '--json',
      '-c',
      'help all',
    ],
  ]);
  const { commands } = (JSON.parse(help.toString()) as { data: { commands: readonly Entry[] } }).data;
  // over all memory, by hundreds: hours under emulation
  const slow = new Set(['search', 'refs']);
  return [...new Set(commands.filter(({ name }) => !slow.has(name)).flatMap((entry) => linesOf(entry, '/tmp/file')))];
}

async function swept(machine: HostMachine): Promise<readonly string[]> {
  const { status } = await machine.tell(
    'cd /tmp && inquest crash -s -i /root/lab/sweep </dev/null >/dev/null 2>/root/lab/out/sweep.err',
    4 * 3600,
  );
  const told = await machine
    .run(
      "cd /root/lab/out; grep -c '^@@ ' sweep.err; grep -c '^@@ ' /root/lab/sweep; grep -B3 -A3 -E '^    at ' sweep.err | head -n 100",
    )
    .catch((error: Error) => error.message);
  say(`swept, status ${status}: ${told.split('\n', 1)[0]} lines`);
  return /^ {4}at /m.test(told) ? [`internal errors: ${told}`] : [];
}

/** What was opened for writing or changed, but where the script told it to write. @param calls what strace wrote */
function traced(calls: string): readonly string[] {
  const lines = calls
    .split('\n')
    .filter((line) => /O_WRONLY|O_RDWR|O_CREAT| (creat|unlink|rename|truncate|mkdir|symlink|link)\w*\(/.test(line));
  const told = lines.filter((line) => !/"\/(root\/lab\/out|tmp\/lab-)|"\/dev\/(null|tty)"/.test(line));
  return told.map((line) => `it opened a file for writing: ${line}`);
}

/** Holds what was answered at rest against the machine's picture. */
function atRest(out: string, suite: DebianSuite): Checked {
  const commands = commandLines();
  const picture = new Picture(join(out, 'picture'));
  const said = ['text', 'json'].map((name) => readFileSync(join(out, `${name}.err`), 'utf8')).join('');
  const answers: Answers = {
    name: 'inquest, live',
    ask(command) {
      const i = commands.indexOf(command);
      if (i < 0) return undefined;
      const text = readFileSync(join(out, String(i)), 'utf8');
      if (text !== '') return text;
      const error = said.split(/^@@ /m).find((part) => part.startsWith(`${i}\n`)) ?? '';
      if (error.trim() !== String(i)) throw new Error(`inquest ${command}: ${error}`);
      return text;
    },
  };
  return hold(
    {
      picture,
      record: {
        kernel: kernelOf[suite],
        release: /^Linux version (\S+)/.exec(picture.text('version') ?? '')?.[1] ?? '',
        scenario: '',
        format: 'live',
        level: 0,
        memory,
        cpus: 2,
      },
      scenario: { verdict: null, moves: 'the machine goes on' },
      machine: 'x86_64',
      pageSize: 4096,
      gone: { names: /^(strace|inquest|node|bash|sleep)$/, why: 'what asked ended' },
      made: null,
      close: () => undefined,
    },
    answers,
  );
}

/** What stayed while the machine moved, and was not told right. */
function inMotion(out: string): readonly string[] {
  const folder = join(out, 'motion');
  const lines = (name: string): string[] => readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const [tasks, modules, mounts] = [lines('tasks'), lines('modules'), lines('mounts')];
  const open = Number(lines('files')[0]);
  const wrong: string[] = [];
  let said = 0;
  const rounds = globSync('*.status', { cwd: folder }).length;
  for (let i = 1; i <= rounds; i++) {
    const [status = '', ...words] = lines(`${i}.status`)[0]!.split(' ');
    const [text, error] = ['json', 'err'].map((end) => readFileSync(join(folder, `${i}.${end}`), 'utf8'));
    const command = words.join(' ');
    const hasRaced = /may have changed while it was read|raced/.test(`${text}${error}`);
    if (hasRaced) said++;
    const fault = (what: string): void => void wrong.push(`in motion, ${i}: ${command}: ${what}`);
    if (/^ {4}at /m.test(error!)) fault(`internal error: ${error}`);
    if (status !== '0' && !(command === 'report' && status === '3') && !hasRaced) fault(`status ${status}: ${error}`);
    let data: Told;
    try {
      data = ((parsed) => parsed.data ?? parsed)(JSON.parse(text!) as { readonly data?: Told } & Told);
    } catch {
      if (!hasRaced) fault(`no JSON: ${text!.slice(0, 200)} ${error}`);
      continue;
    }
    if (hasRaced) continue;
    for (const lack of lacking(command, data, { tasks, modules, mounts, open })) fault(lack);
  }
  say(`in motion: ${said} of ${rounds} answers say that they raced`);
  return wrong;
}

/** Of the commands' data, what is looked at. */
interface Told {
  readonly tasks?: readonly { readonly pid: number; readonly command: string }[];
  readonly modules?: readonly { readonly name: string }[];
  readonly mounts?: readonly { readonly directory: string }[];
  readonly entries?: readonly { readonly files?: readonly unknown[] }[];
}

interface Lasting {
  /** `PID COMM`. */
  readonly tasks: readonly string[];
  readonly modules: readonly string[];
  readonly mounts: readonly string[];
  /** Open files of the process that is asked for. */
  readonly open: number;
}

function lacking(command: string, data: Told, { tasks, modules, mounts, open }: Lasting): readonly string[] {
  const without = (all: readonly string[], there: readonly string[]): string[] => {
    const known = new Set(there);
    return all.filter((one) => !known.has(one)).map((one) => `${one} is not told`);
  };
  switch (command) {
    case 'ps':
      return without(
        tasks,
        (data.tasks ?? []).map(({ pid, command: name }) => `${pid} ${name}`),
      );
    case 'mod':
      return without(
        modules,
        (data.modules ?? []).map(({ name }) => name),
      );
    case 'mount':
      return without(
        mounts,
        (data.mounts ?? []).map(({ directory }) => directory),
      );
    case 'files $LASTING':
      return data.entries?.[0]?.files?.length === open
        ? []
        : [`${data.entries?.[0]?.files?.length} open files, not ${open}`];
    default:
      return [];
  }
}
