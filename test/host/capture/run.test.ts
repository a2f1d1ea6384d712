import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { recoverRaw } from '../../../src/host/capture/raw_target.ts';
import type { CaptureRecord } from '../../../src/host/capture/record.ts';
import { runCapture } from '../../../src/host/capture/run.ts';
import { type CaptureConfig, defaultConfig, type Target } from '../../../src/host/config/capture_config.ts';
import type { CapturePlan } from '../../../src/host/initramfs/capture_plan.ts';
import { captureStatus } from '../../../src/host/initramfs/init_script.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A capture kernel's surroundings: a program in the place of inquest, an ssh that runs commands here, and a partition. */
class Surroundings {
  readonly dir = mkdtempSync(join(tmpdir(), 'inquest-capture-'));
  readonly raw = join(this.dir, 'partition');
  readonly #bin = join(this.dir, 'bin');

  /** @param behaviour shell lines of the program: `$1 $2` are its first words */
  constructor(behaviour: string) {
    folders.push(this.dir);
    mkdirSync(this.#bin);
    mkdirSync(join(this.dir, 'scratch'));
    writeFileSync(this.raw, Buffer.alloc(8 << 20));
    writeFileSync(join(this.dir, 'vmcore'), 'the memory of a dead machine');
    this.#program('fake-inquest', behaviour);
    // the last word is the command; a host called `down` does not answer
    this.#program(
      'ssh',
      'for word; do case $word in *@down) echo "ssh: connect to host down: No route to host" >&2; exit 255 ;; esac; done\nexec sh -c "$word"',
    );
  }

  #program(name: string, text: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(this.#bin, name), 0o755);
  }

  ssh(host = 'dumps@backup'): Target {
    return { kind: 'ssh', host, port: null, key: '/k', knownHosts: '/h', path: join(this.dir, 'remote') };
  }

  /** @param makedumpfile shell lines of one; null without */
  async run(
    targets: readonly Target[],
    changed: Partial<CaptureConfig> = {},
    makedumpfile: string | null = null,
  ): Promise<number> {
    if (makedumpfile !== null) this.#program('makedumpfile', makedumpfile);
    const config = { ...defaultConfig, targets, limits: { verdict: 5, mini: 5, full: 5, target: 5 }, ...changed };
    const plan: CapturePlan = {
      release: '6.1',
      hostname: 'dead',
      config,
      targets: targets.map((target) => ({
        target,
        device: target.kind === 'raw' ? target.device : null,
        fstype: null,
        path: '/',
      })),
      root: null,
      network: null,
      needsLvm: false,
      needsMd: false,
    };
    const path = process.env['PATH'];
    const log = console.log;
    process.env['PATH'] = `${this.#bin}:${path}`;
    console.log = () => undefined;
    try {
      return await runCapture(plan, {
        self: [join(this.#bin, 'fake-inquest')],
        frugal: [[join(this.#bin, 'fake-inquest')], [join(this.#bin, 'fake-inquest'), '--smaller']],
        vmcore: join(this.dir, 'vmcore'),
        makedumpfile: makedumpfile === null ? null : join(this.#bin, 'makedumpfile'),
        scratch: join(this.dir, 'scratch'),
      });
    } finally {
      process.env['PATH'] = path;
      console.log = log;
    }
  }

  /** Files at the remote host by name. */
  get remote(): ReadonlyMap<string, string> {
    const crash = readdirSync(join(this.dir, 'remote'))[0]!;
    const folder = join(this.dir, 'remote', crash);
    return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  }

  get record(): CaptureRecord {
    return JSON.parse(this.remote.get('capture.json')!) as CaptureRecord;
  }
}

const verdict = `{"panic":{"message":"a pointer was NULL","signature":"abc"},"kernel":{"crashTime":"2026-11-21T19:45:00Z"}}`;
const good = `case "$1 $2" in
"kdump capture-verdict") echo log > $4/vmcore-dmesg.txt; echo text > $4/verdict.txt; echo '${verdict}' > $4/verdict.json ;;
"save --mini") printf mini ;;
"save -d") printf full ;;
esac`;

test('verdict, mini and full dump arrive, in this order, named after the time of the death', async () => {
  const here = new Surroundings(good);
  assert.equal(await here.run([here.ssh()]), captureStatus.saved);
  assert.deepEqual(readdirSync(join(here.dir, 'remote')), ['dead-2026-11-21-194500']);
  assert.deepEqual([...here.remote.keys()].sort(), [
    'capture.json',
    'capture.log',
    'verdict.json',
    'verdict.txt',
    'vmcore-dmesg.txt',
    'vmcore.flat',
    'vmcore.mini.flat',
  ]);
  assert.equal(here.remote.get('vmcore.flat'), 'full');
  assert.equal(here.remote.get('vmcore.mini.flat'), 'mini');
  const { steps, isComplete, memory } = here.record;
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['verdict', 'reach', 'verdict', 'mini', 'full'],
  );
  assert.ok(isComplete && memory.least > 0 && memory.least <= memory.total);
  assert.match(here.remote.get('capture.log')!, /VERDICT: a pointer was NULL/);
});

test('what the log alone tells is said as soon as it is known, and stays where memory then kills the step', async () => {
  const ofLog = verdict.replace('a pointer', 'says the log: a pointer');
  const here = new Surroundings(`case "$1 $2" in
"kdump capture-verdict") echo log > $4/vmcore-dmesg.txt; echo text > $4/verdict.txt; echo '${ofLog}' > $4/verdict.json
  echo 'a pointer was NULL'; kill -9 $$ ;;
"save --mini") printf mini ;;
"save -d") printf full ;;
esac`);
  await here.run([here.ssh()]);
  const log = here.remote.get('capture.log')!;
  assert.match(log, /VERDICT of the log alone: a pointer was NULL\n.*verdict by inquest: .*FAILED: killed by SIGKILL/);
  assert.match(log, /VERDICT: says the log: a pointer was NULL/);
  assert.equal(here.remote.get('verdict.json'), `${ofLog}\n`);
  assert.deepEqual(
    here.record.steps.slice(0, 2).map(({ step, at, isGood }) => [step, at, isGood]),
    [
      ['verdict', 'its log', true],
      ['verdict', here.record.steps[1]!.at, false],
    ],
  );
});

test('a target that does not answer goes on to the next one, and that is told', async () => {
  const here = new Surroundings(good);
  assert.equal(await here.run([here.ssh('dumps@down'), here.ssh()]), captureStatus.saved);
  assert.equal(here.remote.get('vmcore.flat'), 'full');
  assert.equal(here.record.isComplete, false);
  assert.match(here.remote.get('capture.log')!, /FAILED: .*No route to host/);
});

test('a kernel that cannot be analysed: the log is kept, and the dump is copied', async () => {
  const here = new Surroundings(
    'case "$2" in capture-verdict) echo log > $4/vmcore-dmesg.txt ;; esac\necho "cannot be read" >&2; exit 1',
  );
  assert.equal(await here.run([here.ssh()]), captureStatus.saved);
  assert.equal(here.remote.get('vmcore'), 'the memory of a dead machine');
  assert.equal(here.remote.get('vmcore-dmesg.txt'), 'log\n');
  assert.equal(here.remote.has('vmcore.flat'), false, 'what failed is not under the name of a whole dump');
  assert.match(here.remote.get('capture.log')!, /full by inquest: .* FAILED: cannot be read/);
  assert.match(here.remote.get('capture.log')!, /no verdict/);
});

test('where the dump gives no verdict, its log does', async () => {
  const here = new Surroundings(
    `case "$1 $2 $3" in --smaller*) shift ;; esac
case "$1 $2 $3" in
kdump*) echo log > $4/vmcore-dmesg.txt; sleep 60 ;;
"report --format json") echo '${verdict}' ;;
"report --format text") echo text ;;
"save "*) printf dump ;;
esac`,
  );
  const limits = { verdict: 1, mini: 5, full: 5, target: 5 };
  assert.equal(await here.run([here.ssh()], { limits }), captureStatus.saved);
  assert.match(here.remote.get('capture.log')!, /verdict by inquest: .* FAILED: it took longer than 1 s/);
  assert.match(here.remote.get('capture.log')!, /VERDICT: a pointer was NULL/);
  assert.equal(here.remote.get('verdict.txt'), 'text\n');
});

test('a program that does not get as far as the log: makedumpfile writes it', async () => {
  const here = new Surroundings(
    'case "$2" in capture-verdict) exit 1 ;; esac; case "$1 $2" in "save "*) printf dump ;; esac',
  );
  await here.run([here.ssh()], {}, 'for word; do :; done; echo "its log" >"$word"');
  assert.equal(here.remote.get('vmcore-dmesg.txt'), 'its log\n');
});

test('what hangs is ended after its time, and the next step goes on', async () => {
  const here = new Surroundings(
    `case "$1 $2" in "save --mini") sleep 60 ;; *) ${good.replaceAll('\n', ' ').replace('esac', 'esac ;;')} esac`,
  );
  const limits = { verdict: 5, mini: 1, full: 5, target: 5 };
  assert.equal(await here.run([here.ssh()], { limits }), captureStatus.saved);
  assert.equal(here.remote.get('vmcore.flat'), 'full');
  assert.match(here.remote.get('capture.log')!, /mini by inquest: .* FAILED: it took longer than 1 s/);
  assert.equal(here.remote.has('vmcore.mini.flat'), false);
});

test('what the kernel kills for want of memory is tried again with less, and a program that fails is not', async () => {
  const needsLess = `case "$1" in --smaller) shift; ${good.replaceAll('\n', ' ')} ;; *) kill -9 $$ ;; esac`;
  const killed = new Surroundings(needsLess);
  assert.equal(await killed.run([killed.ssh()]), captureStatus.saved);
  assert.equal(killed.remote.get('vmcore.mini.flat'), 'mini');
  assert.equal(killed.remote.get('vmcore.flat'), 'full');
  assert.match(killed.remote.get('verdict.json')!, /a pointer was NULL/);
  assert.equal(killed.record.isComplete, true);
  const tries = killed.record.steps.filter(({ step }) => step === 'mini');
  assert.deepEqual(
    tries.map(({ isGood, problem }) => [isGood, problem]),
    [
      [false, 'killed by SIGKILL'],
      [true, ''],
    ],
  );
  const failing = new Surroundings('echo "cannot be read" >&2; exit 1');
  await failing.run([failing.ssh()]);
  assert.equal(failing.record.steps.filter(({ step }) => step === 'mini').length, 1);
});

test('no target at all: it says that it failed', async () => {
  const here = new Surroundings(good);
  assert.equal(await here.run([here.ssh('dumps@down')]), captureStatus.failed);
});

test('the first target that takes the full dump is enough, unless every one is to have it', async () => {
  for (const everyTarget of [false, true]) {
    const here = new Surroundings(good);
    const raw: Target = { kind: 'raw', device: here.raw };
    assert.equal(await here.run([raw, here.ssh()], { everyTarget }), captureStatus.saved);
    assert.equal(here.remote.has('vmcore.flat'), everyTarget);
    assert.ok(here.remote.has('verdict.txt'));
  }
});

test('a raw partition is read back once, and no file of another name or place is made', async () => {
  const here = new Surroundings(good);
  await here.run([{ kind: 'raw', device: here.raw }]);
  const into = join(here.dir, 'recovered');
  const found = recoverRaw(here.raw, into)!;
  assert.equal(found.folder, join(into, '2026-11-21-194500'));
  assert.equal(readFileSync(join(found.folder, 'vmcore.flat'), 'utf8'), 'full');
  assert.ok(existsSync(join(found.folder, 'capture.json')));
  assert.equal(recoverRaw(here.raw, into), null);
  for (const header of [
    '{"stamp":"../x","files":[]}',
    '{"stamp":"x","files":[{"name":"../y","offset":0,"size":1}]}',
    '{"stamp":"x","files":[{"name":"y","offset":0,"size":1e99}]}',
    '{',
  ]) {
    writeFileSync(here.raw, Buffer.concat([Buffer.from(`INQUESTRAW1\n${header}`), Buffer.alloc(4096)]));
    assert.throws(() => recoverRaw(here.raw, into), /damaged/, header);
  }
});

test('a dump that did not come whole is recovered under a name that says so', async () => {
  const here = new Surroundings(
    `case "$1 $2" in "save -d") printf ful; exit 1 ;; *) ${good.replaceAll('\n', ' ').replace('esac', 'esac ;;')} esac`,
  );
  await here.run([{ kind: 'raw', device: here.raw }]);
  const { files } = recoverRaw(here.raw, join(here.dir, 'recovered'))!;
  assert.deepEqual(
    files.filter(({ isWhole }) => !isWhole).map(({ name }) => name),
    ['vmcore.flat'],
  );
  assert.equal(
    readFileSync(join(here.dir, 'recovered', '2026-11-21-194500', 'vmcore'), 'utf8'),
    'the memory of a dead machine',
  );
});
