// A mini dump must answer what it says it answers as the whole one does, and say of the rest that it was left out.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { offsetBy, pfn, physAddr } from '../../src/base/address.ts';
import { unwatched } from '../../src/base/work.ts';
import { call, drawn } from '../../src/commands/command.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { parseParams } from '../../src/commands/params.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { miniNoteText, parseMiniNote } from '../../src/dump/mini_note.ts';
import { openDump } from '../../src/dump/open.ts';
import { backtracer } from '../../src/kernel/backtrace.ts';
import { listEntries } from '../../src/kernel/list.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { xarrayEntries } from '../../src/kernel/xarray.ts';
import { miniPages } from '../../src/save/mini.ts';
import { type SaveFilesOptions, saveFiles } from '../../src/save/save_files.ts';
import { verifyDump } from '../../src/save/verify.ts';
import { inquest } from '../cli/run.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

const sample = fileURLToPath(new URL('../../samples/vmcore', import.meta.url));

const plain: Omit<SaveFilesOptions, 'targets'> = {
  format: 'kdump',
  compression: 'zlib',
  levels: [0],
  threads: 2,
  flattened: false,
  overwrite: false,
};

function targetIn(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-mini-'));
  test.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'mini');
}

/** What a command prints of a dump. */
function printed(context: CommandContext, line: string): string {
  const [name, ...words] = line.split(' ');
  const command = commandTable().get(name!)!;
  const options = parseParams(command.params, words, context);
  return drawn(command, call(context, command, options).value, { options, ...context.style });
}

describe('a mini dump', () => {
  it('answers as the whole dump does, and is small', (t) => {
    const target = targetIn(t);
    const dump = openDump([sample]);
    t.after(() => dump.close());
    const { kernel, mini } = miniPages(dump);
    const { lost } = saveFiles(kernel, { ...plain, mini, targets: [target] });
    assert.equal(lost, 0);
    assert.ok(statSync(target).size < 8 * 1024 * 1024 + kernel.tasks.all.length * 20 * 1024);
    const small = openDump([target]);
    t.after(() => small.close());
    const [one, other] = [dump, small].map((each) => new CommandContext(openKernel(each)));
    for (const line of ['foreach bt -F', 'ps -a', 'ps -l', 'log -T', 'mod', 'kmem -i', 'runq', 'timer', 'lock']) {
      const expected = printed(one!, line);
      assert.ok(expected.length > 0 || line === 'lock', line);
      assert.equal(printed(other!, line), expected, line);
    }
    // what debuggers read as they start: else they do not
    const dead = other!.kernel;
    const pids = [...xarrayEntries(dead.variable('init_pid_ns').member('idr.idr_rt'), dead.faults)];
    assert.ok(pids.length >= dead.tasks.all.length - dead.cpus.possible.length);
    for (const { entry } of pids) assert.ok(dead.space.u64(entry) !== 0n);
    const bus = dead.variable('bus_kset').deref().member('list');
    assert.ok([...listEntries(bus, 'struct kobject', 'entry')].some((one) => one.member('name').string() === 'memory'));
    for (const cpu of dead.cpus.online) {
      const note = offsetBy(dead.variable('crash_notes').pointer(), dead.perCpuOffset(cpu));
      assert.equal(dead.space.read(note, 336).length, 336);
    }
    const { frames } = backtracer(dead).of(other!.task);
    for (const { place } of frames)
      if (place !== null) assert.equal(dead.space.read(place.symbol.address, 4).length, 4);
    assert.ok(frames.length > 5);
    assert.match(small.notes.mini!.holds, /bt of every task/);
    assert.deepEqual(small.memory.ramRanges(), dump.memory.ramRanges());
    assert.equal(small.info.pages.total, dump.info.pages.total);
    assert.equal(verifyDump([target], unwatched, 1).verdict, 'whole');
  });

  for (const [form, options] of [
    ['kdump', {}],
    ['ELF', { format: 'elf', compression: 'none' }],
    ['flattened', { flattened: true }],
  ] as const) {
    it(`in ${form} has pages of zeroes that were not in the source, and says of others that they were left out`, (t) => {
      const target = targetIn(t);
      const source = openBytes(t, smallDump());
      const { kernel, mini } = miniPages(source);
      saveFiles(kernel, { ...plain, ...options, mini, targets: [target] });
      const small = openDump([target]);
      t.after(() => small.close());
      openKernel(small);
      let [same, left] = [0, 0];
      for (let frame = 0; frame < source.memory.maxPfn; frame++) {
        const state = source.memory.pageState(pfn(frame));
        const isThere = state === 'present' || state === 'zero';
        if (mini.frames.has(frame) && isThere) {
          assert.deepEqual(small.memory.page(pfn(frame)), source.memory.page(pfn(frame)), `page frame ${frame}`);
          same++;
        } else if (isThere) {
          assert.equal(small.memory.pageState(pfn(frame)), 'excluded', `page frame ${frame}`);
          left++;
        }
      }
      assert.ok(same > 0 && left > 0, `${same} kept, ${left} left out`);
    });
  }

  it('tells RAM by its note where the bitmap does not', (t) => {
    const target = targetIn(t);
    const { kernel, mini } = miniPages(openBytes(t, smallDump()));
    const { maxPfn, pageSize } = kernel.dump.memory;
    const note = { ...mini.note, ram: [{ start: physAddr(0), end: physAddr(maxPfn * pageSize) }] };
    saveFiles(kernel, { ...plain, mini: { ...mini, note }, targets: [target] });
    const small = openDump([target]);
    t.after(() => small.close());
    assert.deepEqual(small.memory.ramRanges(), note.ram);
  });

  it('has a note that survives what was done to it', () => {
    const note = { holds: 'bt, ps', ram: [{ start: 0x1000, end: 0x9f000 }] } as never;
    assert.deepEqual(parseMiniNote(miniNoteText(note)), note);
    assert.equal(parseMiniNote('ram 0-1000'), null);
    const ranges = (words: string) => parseMiniNote(`holds x\nram ${words}\n`)!.ram;
    assert.deepEqual(ranges('9-1 zz-2 5 1-fffffffffffffffffff 1000-2000 0-500 '), [{ start: 0x1000, end: 0x2000 }]);
  });
});

it('is told by `inquest info`', async (t) => {
  const target = targetIn(t);
  const source = `${target}-source`;
  writeFileSync(source, smallDump());
  const saved = await inquest(['save', '--mini', '--progress', source, target]);
  assert.equal(saved.status, 0, saved.stderr);
  assert.match((await inquest(['info', target])).stdout, /MINI {2}only the pages that these read: the report, bt/);
  assert.equal((await inquest(['save', '--mini', '-d', '31', source, `${target}2`])).status, 2);
});
