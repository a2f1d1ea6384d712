// bt with debug information of its functions, made of a few entries for a kernel that a test made die.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { bt } from '../../src/commands/tasks/bt/bt.ts';
import { DwarfFile } from '../../src/debuginfo/dwarf/dwarf_file.ts';
import { DwarfInfo } from '../../src/debuginfo/dwarf/dwarf_info.ts';
import { ElfFile } from '../../src/debuginfo/elf/elf_file.ts';
import { unwindRules } from '../../src/kernel/unwind_rules.ts';
import { DwarfWriter, entry, sleb, uleb } from '../support/dwarf_writer.ts';
import { DyingKernel, exception, user } from '../support/dying_kernel.ts';
import { memoryFile } from '../support/elf_writer.ts';
import { type CommandOutput, run } from '../support/run_command.ts';

/** frob(w) faulted in the inlined widget_get, called by vfs_write, which has a variable on its stack. */
function scene(between: readonly string[] = []): { dying: DyingKernel; show: (...args: string[]) => CommandOutput } {
  const dying = DyingKernel.make({ types: 'struct widget { int id; char name[8]; };' });
  const widget = dying.allocate('struct widget');
  dying.set(widget, 'id', 42n);
  const sh = dying.task({ pid: 7, comm: 'sh' });
  dying.panicOn(0, sh, [
    'machine_kexec',
    'panic',
    exception('asm_exc_page_fault', 'frob+0x22', { rdi: widget.address, rax: 5n, rbx: 9n, rbp: 6n }),
    ...between,
    'vfs_write',
    { words: [0x77n, 0x88n] },
    user,
  ]);
  dying.writeTables();
  const frob = dying.codeAt('frob');
  const write = dying.codeAt('vfs_write');
  const code = (start: bigint, size: number): { lowPc: { address: bigint }; highPc: number } => ({
    lowPc: { address: start },
    highPc: size,
  });
  const writer = new DwarfWriter();
  const rows = [
    [frob, 1, 20],
    [frob + 0x20n, 2, 5],
    [frob + 0x30n, 1, 22],
    [frob + 0x100n, null],
  ] as const;
  const more = [
    [write, 1, 90],
    [write + 0x50n, 1, 91],
    [write + 0x100n, null],
  ] as const;
  const others = between.flatMap((name) => {
    const at = dying.codeAt(name);
    return [[at, 1, 60] as const, [at + 0x50n, null] as const]; // ends with its call
  });
  const stmtList = {
    section: writer.lines(
      ['/src'],
      [
        ['w.c', 0],
        ['w.c', 0],
        ['w.h', 0],
      ],
      [...rows, ...more, ...others],
    ),
  };
  writer.unit(
    [
      entry('baseType', { name: 'int', byteSize: 4, encoding: 5 }, [], 'int'),
      entry('structureType', { name: 'widget', declaration: true }, [], 'widget'),
      entry('pointerType', { byteSize: 8, type: { ref: 'widget' } }, [], 'pointer'),
      entry(
        'subprogram',
        { name: 'widget_get', inline: 3 },
        [entry('formalParameter', { name: 'v', type: { ref: 'int' } }, [], 'v')],
        'widget_get',
      ),
      entry('subprogram', { name: 'frob', ...code(frob, 0x100), frameBase: { expression: [0x9c] } }, [
        entry('formalParameter', { name: 'w', type: { ref: 'pointer' }, location: { expression: [0x55] } }),
        entry('variable', { name: 'gone', type: { ref: 'int' } }),
        entry('variable', { name: 'high', type: { ref: 'int' }, location: { expression: [0x5d] } }), // r13
        entry(
          'inlinedSubroutine',
          { abstractOrigin: { ref: 'widget_get' }, ...code(frob + 0x20n, 0x10), callFile: 1, callLine: 21 },
          [entry('formalParameter', { abstractOrigin: { ref: 'v' }, location: { expression: [0x50] } })],
        ),
      ]),
      entry('subprogram', { name: 'vfs_write', ...code(write, 0x100), frameBase: { expression: [0x9c] } }, [
        entry('variable', { name: 'pos', type: { ref: 'int' }, location: { expression: [0x91, ...sleb(-24)] } }),
        entry('variable', { name: 'saved', type: { ref: 'int' }, location: { expression: [0x53] } }),
        entry('variable', { name: 'framed', type: { ref: 'int' }, location: { expression: [0x56] } }),
      ]),
    ],
    { compDir: '/src', stmtList, ...code(0xffff_ffff_8100_0000n, 0x2_0000) },
  );
  const cie = [4, 0, 8, 0, ...uleb(1), ...sleb(-8), ...uleb(16), 0x0c, 7, 8, 0x80 | 16, 1];
  const frames = writer
    .section('.debug_frame')
    .u32(cie.length + 4)
    .u32(0xffff_ffff)
    .put(Uint8Array.from(cie));
  frames.u32(20).u32(0).u64(frob).u64(0x100);
  const deeper = [0x0e, 24]; // vfs_write has two words on its stack
  frames
    .u32(20 + deeper.length)
    .u32(0)
    .u64(write)
    .u64(0x100)
    .put(Uint8Array.from(deeper));
  const file = new DwarfFile(new ElfFile(memoryFile(writer.elf())));
  dying.addDebugInfo(new DwarfInfo(file, 'vmlinux', 0n, { find: (name) => dying.types.find(name), own: false }));
  return { dying, show: (...args) => run(bt, dying.context, args) };
}

test('without debug information -l and -i say so, and show the frames', () => {
  const dying = DyingKernel.make();
  dying.panicOn(0, dying.task({ pid: 7, comm: 'sh' }), ['machine_kexec', 'panic', user]);
  dying.writeTables();
  for (const option of ['-l', '-i', '--locals']) {
    const output = run(bt, dying.context, [option]);
    assert.match(output.text, /#1 .* panic at /);
    assert.match(output.faults[0]!.message, /debug information not found: of the kernel/);
  }
});

test('bt -l has a line below each frame, and below the registers that of what was interrupted', () => {
  const { text } = scene().show('-l');
  assert.match(text, /\[exception RIP: frob\+34\][^#]*\n {4}\/src\/w\.h: 5\n/);
  assert.match(text, /vfs_write at [0-9a-f]+\n {4}\/src\/w\.c: 91\n/);
  assert.match(text, /panic at [0-9a-f]+\n #2/); // nothing is known of it
});

test('bt -i has the inlined functions with their calls', () => {
  const { text } = scene().show('-i');
  assert.match(text, /\n {4}\(inlined\) widget_get at \/src\/w\.h: 5\n {4}frob at \/src\/w\.c: 21\n/);
  assert.match(text, /\n {4}vfs_write at \/src\/w\.c: 90\n/); // the call is before the address that it returns to
  assert.doesNotMatch(text, / = /);
});

test('bt --locals has values from registers and stacks, and says where there are none', () => {
  const { text } = scene().show('--locals');
  const at = (part: string): string => text.slice(text.indexOf(part), text.indexOf(part) + 400);
  assert.match(at('(inlined) widget_get'), /^.*\n {8}v = 5\n/);
  assert.match(
    at('    frob at'),
    /\n {8}w = \(struct widget \*\) 0x[0-9a-f]+\n {8}gone = <optimized out>\n {8}high = 0\n/,
  );
  assert.match(at('    vfs_write at'), /\n {8}pos = 119\n/); // 0x77, the first of its words
  assert.match(at('    vfs_write at'), /\n {8}saved = 9\n/); // rbx, which frob left as it was
});

test('beyond a function of which only the tables know, its caller has the frame pointer and no other register', () => {
  const { text } = scene(['outside']).show('--locals');
  const caller = text.slice(text.indexOf('    vfs_write at'));
  assert.match(caller, /\n {8}saved = <rbx is not known>\n {8}framed = 6\n/);
});

test('bt -l of a call at the very end of a function has the line of the call', () => {
  assert.match(scene(['outside']).show('-l').text, /outside at [0-9a-f]+\n {4}\/src\/w\.c: 60\n/);
});

test('as data: values are data, reasons are told', () => {
  const { data } = scene().show('--locals') as {
    data: {
      tasks: readonly {
        frames: readonly {
          functions:
            | readonly { name: string; locals: readonly { name: string; value: unknown; missing: string | null }[] }[]
            | null;
        }[];
      }[];
    };
  };
  const functions = data.tasks[0]!.frames.flatMap((frame) => frame.functions ?? []);
  const frob = functions.find(({ name }) => name === 'frob')!;
  assert.deepEqual(frob.locals.map(({ name, missing }) => [name, missing])[1], ['gone', 'optimized out']);
  assert.deepEqual(functions.find(({ name }) => name === 'widget_get')!.locals[0]!.value, 5);
});

test('code that the kernel’s tables do not cover is unwound by its call frame information', () => {
  const { dying } = scene();
  const rules = unwindRules(dying, { find: () => null });
  const rule = rules.find(dying.codeAt('vfs_write+0x10'));
  assert.deepEqual(rule, {
    type: 'call',
    spRegister: 'sp',
    spOffset: 24,
    bpRegister: 'undefined',
    bpOffset: 0,
    signal: false,
  });
  assert.equal(rules.find(dying.codeAt('panic+0x10')), null);
  assert.equal(rules.find(virtAddr(0n)), null);
});
