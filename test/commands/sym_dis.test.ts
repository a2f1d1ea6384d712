// sym and dis: symbols to addresses and back, and code as text.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { dis } from '../../src/commands/code/dis.ts';
import { sym } from '../../src/commands/code/sym.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

function machine() {
  const kernel = new CommandKernel('struct x { int a; };');
  // nopl 0x0(%rax,%rax,1); push %rbp; call self; ret; int3
  const run = kernel.code('run', '0f1f440000 55 e8f5ffffff c3 cc');
  const other = kernel.code('twice', '90 c3');
  const same = kernel.code('twice', 'c3');
  return { kernel, run, other, same };
}

describe('sym', () => {
  const { kernel, run, other, same } = machine();
  const text = (line: string) => kernel.run(sym, line).text;
  test('wrong usage is refused', () => {
    for (const line of ['', '-z', '-q', '-m']) assert.throws(() => kernel.run(sym, line), UsageError);
    assert.throws(() => kernel.run(sym, '-m nosuch'), NotFoundError);
  });
  test('a symbol, an address, all of one name', () => {
    assert.equal(text('run'), `${run.toString(16)} (t) run\n`);
    assert.equal(text((run + 5n).toString(16)), `${(run + 5n).toString(16)} (t) run+5\n`);
    assert.equal(text('twice'), `${other.toString(16)} (t) twice\n${same.toString(16)} (t) twice\n`);
  });
  test('offsets are in the session’s radix', () => {
    const hexadecimal = machine();
    hexadecimal.kernel.context.variables.set('radix', '16');
    assert.match(hexadecimal.kernel.run(sym, (run + 11n).toString(16)).text, /run\+0xb\n/);
  });
  test('an address where nothing is, and a name that nothing has', () => {
    assert.equal(text('fff'), 'sym: invalid address: fff\n');
    assert.equal(
      text('twic'),
      `symbol not found: twic\npossible alternatives:\n  ${other.toString(16)} (t) twice\n  ${same.toString(16)} (t) twice\n`,
    );
    assert.match(text('nosuch'), /\(none found\)/);
  });
  test('neighbours', () => {
    assert.equal(text('-n run').split('\n').length - 1, 2);
    assert.match(text('-np twice'), /run\n.*twice\n.*twice\n/);
  });
  test('-l leaves out no symbol of a module: per-CPU variables lie in none of its parts', () => {
    class PerCpuKernel extends CommandKernel {
      constructor() {
        super('struct x { int a; };');
        this.ownSymbols.add({ name: 'hits', address: virtAddr(0x39000n), type: 'd', size: 8, module: 'widget' });
      }
    }
    assert.equal(new PerCpuKernel().run(sym, '-l').text, '39000 (d) hits [widget]\n');
  });
  test('-q and -l', () => {
    assert.equal(text('-q wic'), text('twice'));
    assert.equal(text('-q nosuch'), '(none found)\n');
    assert.equal(lines(kernel.run(sym, '-l')).length, 3);
    assert.equal(text('-L'), text('-l'));
    assert.equal(text('-Q wic'), '2 found (twice)\n');
    assert.equal(text('-Q nosuch'), '0 found\n');
  });
});

describe('dis', () => {
  const { kernel, run } = machine();
  const at = (offset: number) => `0x${(run + BigInt(offset)).toString(16)}`;
  test('wrong usage is refused', () => {
    for (const line of ['', '-z run', 'run 0', 'run x', 'run 1 2', '(run + 1']) {
      assert.throws(() => kernel.run(dis, line), UsageError, line);
    }
  });
  test('code that is not there is an error', () => {
    assert.throws(() => kernel.run(dis, '10 1'), MemoryFault);
    const broken = machine();
    broken.kernel.space.exclude(broken.run);
    assert.throws(
      () => broken.kernel.run(dis, 'run'),
      (e) => e instanceof MemoryFault && e.reason === 'excluded',
    );
  });
  test('a whole function by name', () => {
    assert.deepEqual(lines(kernel.run(dis, 'run')).slice(0, 5), [
      `${at(0)} <run>:\tnopl   0x0(%rax,%rax,1) [FTRACE NOP]`,
      `${at(5)} <run+5>:\tpush   %rbp`,
      `${at(6)} <run+6>:\tcall   ${at(0)} <run>`,
      `${at(11)} <run+11>:\tret`,
      `${at(12)} <run+12>:\tint3`,
    ]);
  });
  test('one instruction, or as many as asked for, from an address', () => {
    assert.deepEqual(lines(kernel.run(dis, 'run+5')), [`${at(5)} <run+5>:\tpush   %rbp`]);
    assert.equal(lines(kernel.run(dis, '(run + 5) 2')).length, 2);
    assert.equal(lines(kernel.run(dis, `${run.toString(16)} 3`)).length, 3);
  });
  test('-r up to, -f from, an address', () => {
    assert.deepEqual(
      lines(kernel.run(dis, '-r run+6')).map((line) => line.split('\t')[0]),
      [`${at(0)} <run>:`, `${at(5)} <run+5>:`, `${at(6)} <run+6>:`],
    );
    assert.match(kernel.run(dis, '-r run+6 1').text, /^0x\w+ <run\+6>:\tcall/);
    assert.match(kernel.run(dis, '-f run+11').text, /^0x\w+ <run\+11>:\tret/);
    assert.match(kernel.run(dis, '-f run+8').text, /^0x\w+ <run\+11>:\tret/, 'inside of an instruction: the next one');
  });
  test('-x, or -h, has offsets in hexadecimal', () => {
    for (const letter of ['x', 'h']) assert.match(kernel.run(dis, `-${letter} run+11`).text, /<run\+0xb>/);
  });
  test('of several functions of a name, all are named and none is chosen', () => {
    const output = kernel.run(dis, 'twice').text;
    assert.match(output, /duplicate text symbols/);
    assert.equal(output.match(/\(t\) twice/g)?.length, 2);
  });
  test('-l without line information says so, and shows the code', () => {
    const output = kernel.run(dis, '-l run 1');
    assert.equal(lines(output).length, 1);
    assert.match(output.faults[0]!.message, /debug information not found: of the kernel/);
  });
  test('what fills up to the next function is left out: nops, and int3 but for those of a patched ret', () => {
    const { kernel } = machine();
    const shown = (name: string): string[] => lines(kernel.run(dis, name)).map((line) => line.split('\t')[1]!);
    const code = kernel.code('patched', '90 c3 cccccccc 660f1f440000 ebfe cccccccccc 90 6690 41ffe3 cccccc 90 c3');
    kernel.label('jumps', code + 12n, 7);
    kernel.label('idle', code + 19n, 3);
    kernel.label('calls', code + 22n, 7);
    kernel.label('last_one', code + 29n, 1);
    assert.deepEqual(shown('patched'), ['nop', 'ret', 'int3', 'int3', 'int3', 'int3']);
    assert.equal(shown('jumps').length, 1);
    assert.deepEqual(shown('idle'), ['nop', 'xchg   %ax,%ax']);
    assert.deepEqual(shown('calls'), ['jmp    *%r11', 'int3'], 'no speculation behind it');
  });
  test('of several names of an address a call has the first, what lies behind the last', () => {
    const { kernel } = machine();
    const at = kernel.code('memcpy', '90 c3 c3');
    kernel.label('__memcpy', at, 3);
    kernel.label('behind', at + 2n, 1);
    const call = kernel.code('caller.isra.0', 'e8f9ffffff c3');
    assert.match(kernel.run(dis, 'memcpy').text, /<__memcpy>:\tnop\n.*<memcpy\+1>:\tret\n$/);
    assert.match(kernel.run(dis, `${call.toString(16)} 1`).text, /<caller>:\tcall {3}0x\w+\n$/);
  });
  test('bytes that are no instruction are shown as such', () => {
    kernel.code('bad', '06 c3');
    assert.match(kernel.run(dis, 'bad').text, /<bad>:\t\(bad\)\n.*<bad\+1>:\tret/);
  });
});
