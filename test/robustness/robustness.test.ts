// Any dump, however broken, gives a report and clean text, or one clear error. (`fuzz.slow.ts` does the same to
// real dumps, at length.)

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { X86KernelSpace } from '../../src/arch/x86_64/kernel_space.ts';
import { physAddr, virtAddr } from '../../src/base/address.ts';
import { InquestError } from '../../src/base/errors.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { openBytes, tempDirectory } from '../support/dump_writers/temp_files.ts';
import { alterPage, alterWords, pagesRead, targetsOf } from './alter.ts';
import { AlteredMemory, withMemory } from './altered_memory.ts';
import { checkHtml, checkText, commandLines, exercise, type Problem } from './exercise.ts';
import { Dice, mutateFile } from './mutate.ts';
import { smallDump } from './small_kernel.ts';

const sample = new URL('../../samples/vmcore', import.meta.url).pathname;

function none(problems: readonly Problem[], what: string): void {
  assert.deepEqual(problems, [], what);
}

/** Does everything with a file of these bytes; what cannot be opened must say so with an error of ours. */
function exerciseFile(path: string, bytes: Uint8Array, commands: readonly string[]): readonly Problem[] {
  writeFileSync(path, bytes);
  let dump: Dump;
  try {
    dump = openDump([path]);
  } catch (error) {
    if (!(error instanceof InquestError)) throw error;
    return [];
  }
  try {
    return exercise(dump, commands);
  } finally {
    dump.close();
  }
}

function someCommands(seed: number): string[] {
  const dice = new Dice(seed);
  return [dice.pick(commandLines), dice.pick(commandLines), dice.pick(commandLines)];
}

test('the checks find what they look for', () => {
  assert.equal(checkText('', 'a\x1b[0m').length, 1);
  assert.equal(checkText('', 'a\x9b').length, 1);
  assert.equal(checkText('', 'Error\n    at work (/a/b.ts:3:12)\n').length, 1);
  assert.equal(checkText('', 'a\tb\n').length, 0);
  assert.ok(checkHtml('', '<p><script>x</script></p>').length > 0);
  assert.ok(checkHtml('', '<p>').length > 0);
  assert.equal(checkHtml('', '<!doctype html><p class="a">b</p>').length, 0);
});

test('a good dump with hostile names: every command, every format', (t) => {
  none(exercise(openBytes(t, smallDump())), 'the small dump');
});

test('files that were cut, overwritten, or lie about themselves', (t) => {
  const path = join(tempDirectory(t), 'vmcore');
  for (const good of [smallDump(), flatten(smallDump())]) {
    for (let seed = 0; seed < 40; seed++) {
      const { name, bytes } = mutateFile(good, seed);
      none(exerciseFile(path, bytes, someCommands(seed)), `seed ${seed}: ${name}`);
    }
  }
});

test('a file cut anywhere', (t) => {
  const path = join(tempDirectory(t), 'vmcore');
  const good = smallDump();
  for (let length = 0; length < good.length; length += 1013) {
    none(exerciseFile(path, good.subarray(0, length), []), `cut to ${length} bytes`);
  }
});

test('structures that lie, loop, or point nowhere', (t) => {
  breakStructures(openBytes(t, smallDump()), 150);
});

test('a page missing, whichever it is', (t) => {
  const dump = openBytes(t, smallDump());
  for (const pfn of pagesRead(dump, (memory) => exercise(withMemory(dump, memory), []))) {
    for (const state of ['excluded', 'truncated', 'not-in-dump'] as const) {
      const memory = new AlteredMemory(dump.memory);
      memory.lose(pfn, state);
      none(exercise(withMemory(dump, memory), someCommands(pfn)), `page frame 0x${pfn.toString(16)} ${state}`);
    }
  }
});

test('a real dump whose lists and tables loop: what does not hang from them is still there', {
  skip: !existsSync(sample),
}, (t) => {
  const dump = openDump([sample]);
  t.after(() => dump.close());
  const good = openKernel(dump);
  const first = good.variable('init_task').member('tasks').member('next').pointer();
  const module = good.variable('modules').member('next').pointer();
  const ring = good.space.pointer(good.address('prb'));
  const root = good.arch.space instanceof X86KernelSpace ? good.arch.space.layout.pageTableRoot : physAddr(0);
  const at = (address: bigint): number => good.space.translate(virtAddr(address));
  const tasks = good.tasks.all.length;
  const damages: readonly (readonly [
    name: string,
    physical: number,
    value: bigint,
    check: (kernel: Kernel) => void,
  ])[] = [
    ['the list of tasks, to itself', at(first), first, ({ tasks: t }) => assert.ok(t.all.length > tasks / 2)],
    ['the list of tasks, to nowhere', at(first), 0n, ({ tasks: t }) => assert.ok(t.all.length > tasks / 2)],
    ['the list of modules, to itself', at(module), module, ({ modules }) => assert.equal(modules.length, 1)],
    ['the log, with a head far ahead', at(ring + 24n), 2n ** 63n, ({ tasks: t }) => assert.equal(t.all.length, tasks)],
    ['the page tables, to their own top', root + 273 * 8, BigInt(root) | 0x63n, () => {}],
    [
      'offsets of CPUs',
      at(good.address('__per_cpu_offset')),
      0xdead_0000n,
      ({ modules }) => assert.ok(modules.length > 1),
    ],
  ];
  for (const [name, physical, value, check] of damages) {
    const memory = new AlteredMemory(dump.memory);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    memory.write(physical, bytes);
    none(exercise(withMemory(dump, memory), ['ps', 'mod', 'log', 'bt']), name);
    check(openKernel(withMemory(dump, memory)));
  }
});

test('a real dump, broken in a few ways', { skip: !existsSync(sample) }, (t) => {
  const dump = openDump([sample]);
  t.after(() => dump.close());
  breakStructures(dump, 4);
});

function breakStructures(dump: Dump, cases: number): void {
  const kernel = openKernel(dump);
  const targets = targetsOf(kernel);
  const pfns = pagesRead(dump, (memory) => exercise(withMemory(dump, memory), []));
  for (let seed = 0; seed < cases; seed++) {
    const memory = new AlteredMemory(dump.memory);
    const name = seed % 2 === 0 ? alterWords(kernel, memory, targets, seed) : alterPage(memory, pfns, seed);
    none(exercise(withMemory(dump, memory), someCommands(seed)), `seed ${seed}: ${name}`);
  }
}
