// kmem ADDRESS and waitq ADDRESS: the layouts that people and their scripts read, of every kind of address in the sample.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pfn } from '../../src/base/address.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { kmem } from '../../src/commands/memory/kmem/kmem.ts';
import { waitq } from '../../src/commands/tasks/waitq.ts';
import { openDump } from '../../src/index.ts';
import { memoryModel } from '../../src/kernel/memory_model.ts';
import { assertGolden } from '../support/golden.ts';
import { run } from '../support/run_command.ts';

const kernel = openDump(fileURLToPath(new URL('../../samples/vmcore', import.meta.url)));
const context = new CommandContext(kernel);
const golden = (name: string): URL => new URL(`golden/${name}.txt`, import.meta.url);
const init = kernel.tasks.byPid(1)!;
const hex = (n: bigint | number): string => n.toString(16);

/** What a command answers to each line, below what the line is about. */
function answers(command: typeof kmem | typeof waitq, lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([about, line]) => {
      const { text, faults } = run(command, context, line.split(' '));
      assert.deepEqual(faults, [], about);
      return `--- ${about}\n${text}`;
    })
    .join('');
}

describe('layouts', () => {
  test('kmem ADDRESS', () => {
    const physical = kernel.space.translate(init.address);
    const structPage = memoryModel(kernel)!.pageStruct(pfn(Math.floor(physical / kernel.dump.memory.pageSize)))!;
    const stack = init.object.member('stack').pointer();
    const text = answers(kmem, {
      'a variable, and the task that it is': 'init_task',
      'code of the kernel, by its address': hex(kernel.address('schedule') + 4n),
      'code of a module': 'perish_sum',
      'a slab object, and the task that it is': hex(init.address),
      'the inside of one, by its physical address': hex(physical + 0x20),
      'the page of a slab': hex(structPage),
      'a stack, in an area of vmalloc()': hex(stack + 0x100n),
      'two at once': `${hex(stack)} jiffies`,
    });
    assertGolden(golden('kmem.address'), text);
  });
  test('waitq ADDRESS', () => {
    const queue = kernel.address('kauditd_wait');
    const children = 'task_struct.signal.wait_chldexit';
    const text = answers(waitq, {
      'a variable': 'kauditd_wait',
      'its address': hex(queue),
      'a member, behind a pointer': `${children} ${hex(init.address)}`,
      'one that nobody waits on': `${children} ${hex(kernel.tasks.byPid(2)!.address)}`,
    });
    assertGolden(golden('waitq'), text);
  });
});
