// wr: memory is not written to. It is known so that habit gets a reason and not "no such command".
import { UsageError } from '../../base/errors.ts';
import { defineCommand } from '../command.ts';
import { flag, rest, values } from '../params.ts';

export const wr = defineCommand({
  name: 'wr',
  help: {
    summary: 'would write to memory: refused',
    usage: ['[-u|-k|-p] [-8|-16|-32|-64] address value'],
    description: `crash(8) writes to the memory of the running kernel with this. Here memory is only read: a dump is evidence, and is
never changed.`,
    examples: [],
  },
  params: {
    user: flag('u', ''),
    kernel: flag('k', ''),
    physical: flag('p', ''),
    file: flag('f', ''),
    size8: flag('8', ''),
    size16: flag('16', ''),
    size32: flag('32', ''),
    size64: flag('64', ''),
    words: rest('address value', values.word),
  },
  collect(context): null {
    const what = context.kernel.live ? 'the running kernel is only looked at' : 'this is a dump, and stays as it is';
    throw new UsageError(`memory cannot be written to: ${what}`);
  },
  render: () => '',
});
