// A kind of debug information that only this file knows: what it says is what the shell prints.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import type { DebugInfoKind } from '../../src/debuginfo/debug_info.ts';
import { debugInfoKinds } from '../../src/debuginfo/debug_sources.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { parseCTypes } from '../support/c_types.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

const types = parseCTypes(
  'struct secret { int answer; }; enum mood { GLAD, SAD = 2 }; struct list_head { u8 mine[16]; };',
);

const fake: DebugInfoKind = {
  name: 'fake',
  open: ({ module }) =>
    module !== null
      ? null
      : {
          origin: 'fake',
          types,
          variable: (name) => (name === 'nr_threads' ? types.find('enum mood') : null),
          function: (name) =>
            name === '_stext' ? { kind: 'function', returns: { kind: 'void' }, parameters: [], variadic: false } : null,
          macro: () => null,
          code: null,
        },
};

async function shell(kinds: readonly DebugInfoKind[], dump: ReturnType<typeof openBytes>, line: string) {
  let text = '';
  let warnings = '';
  const write = (part: string): boolean => {
    text += part;
    return true;
  };
  const warn = (part: string): void => {
    warnings += part;
  };
  const context = new CommandContext(openKernel(dump, kinds));
  await new ShellSession(context, commandTable(), { write, warn }, { json: false }).run(line);
  return { text, warnings };
}

describe('debug information of a kind of its own', () => {
  test('comes before what is asked after it, and adds to it', async (t) => {
    const dump = openBytes(t, smallDump());
    const print = async (line: string): Promise<string> => (await shell([fake, ...debugInfoKinds], dump, line)).text;
    assert.match(await print('struct secret'), /^struct secret \{\n {4}int answer;\n\}\nSIZE: 4\n/);
    assert.match(await print('p nr_threads'), / = SAD\n$/);
    assert.match(await print('struct list_head'), /mine\[16\]/);
    assert.match(await print('struct task_struct'), /pid_t pid;/, 'what it does not know, BTF does');
    assert.match((await shell(debugInfoKinds, dump, 'struct list_head')).text, /list_head \*next/);
  });

  test('one that cannot be opened is a fault, and the others stand', async (t) => {
    const broken: DebugInfoKind = {
      name: 'broken',
      open: () => {
        throw new FormatError('broken', 'as expected');
      },
    };
    const { text, warnings } = await shell([broken, ...debugInfoKinds], openBytes(t, smallDump()), 'struct list_head');
    assert.match(text, /list_head \*next/);
    assert.match(warnings, /broken: broken: as expected/);
  });
});
