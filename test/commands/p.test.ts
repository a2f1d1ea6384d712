// p: values of expressions as gdb prints them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { toJson } from '../../src/commands/command.ts';
import { p } from '../../src/commands/types/p.ts';
import { CommandKernel } from '../support/command_kernel.ts';

function machine() {
  const kernel = new CommandKernel(
    'struct list_head { struct list_head *next, *prev; }; struct stat { u64 n; char name[4]; };',
    [0x10000n, 0x20000n],
  );
  const jiffies = kernel.allocate('unsigned long', 'jiffies');
  kernel.space.words(jiffies.address, 4294899021n);
  const stat = kernel.allocate('struct stat', 'stat');
  kernel.set(stat, 'n', 2n ** 63n);
  kernel.set(stat, 'name', 'ab');
  kernel.define('untyped', kernel.reserve(8));
  const counter = 0x1000n;
  kernel.define('__per_cpu_start', 0n);
  kernel.define('__per_cpu_end', 0x2000n);
  kernel.define('counter', counter, 8, kernel.type('u32'));
  for (const [cpu, offset] of [0x10000n, 0x20000n].entries()) kernel.space.words(counter + offset, BigInt(cpu + 5));
  return kernel;
}

describe('p, wrong usage', () => {
  const kernel = machine();
  for (const line of ['', '-z', '(', '1 +', 'jiffies jiffies', 'untyped', 'counter:9']) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(p, line), UsageError));
  }
  for (const line of ['nosuch', 'nosuch:0', 'stat.nosuch']) {
    test(`"${line}" names nothing`, () => assert.throws(() => kernel.run(p, line), NotFoundError));
  }
  test('a variable of unknown type can be cast', () => {
    assert.throws(() => kernel.run(p, 'untyped'), /\*\(int \*\)&untyped/);
    assert.match(kernel.run(p, '*(int *)&untyped').text, /= 0\n$/);
  });
  test('memory that is not there is an error', () => {
    const broken = machine();
    broken.space.exclude(broken.address('jiffies'));
    assert.throws(
      () => broken.run(p, 'jiffies'),
      (e) => e instanceof MemoryFault && e.reason === 'excluded',
    );
  });
});

test('p in a format of gdb tells no name; a letter that is none is refused', () => {
  const kernel = machine();
  assert.equal(kernel.run(p, '--format x jiffies').text, '$1 = 0xfffef54d\n');
  assert.equal(kernel.run(p, '--format c stat.name').text, "$2 = {97 'a', 98 'b', 0 '\\000', 0 '\\000'}\n");
  assert.equal(kernel.run(p, '--format s stat.name').text, '$3 = "ab\\000"\n');
  assert.throws(() => kernel.run(p, '--format i jiffies'), UsageError);
  assert.throws(() => kernel.run(p, '--format'), UsageError);
});

describe('p, values printed before', () => {
  const printed = () => {
    const kernel = machine();
    kernel.run(p, 'jiffies');
    kernel.run(p, 'stat');
    return kernel;
  };
  test('$ is the last, $$ the one before, $1 the first; each is counted, too', () => {
    const kernel = printed();
    assert.equal(kernel.run(p, '$.name').text, '$3 = "ab\\000"\n');
    assert.equal(kernel.run(p, '$1 + 1').text, '$4 = 4294899022\n');
    assert.equal(kernel.run(p, '$$').text, '$5 = "ab\\000"\n');
    assert.equal(kernel.run(p, '$$4 == $1').text, '$6 = 1\n');
    assert.match(kernel.run(p, '&$2').text, /^\$7 = \(struct stat \*\)/);
  });
  test('what was not printed is refused, and counts as nothing', () => {
    for (const line of ['$', '$1', '$$']) assert.throws(() => machine().run(p, line), UsageError);
    const kernel = printed();
    for (const line of ['$3', '$0', '$$2', '$99999999999']) assert.throws(() => kernel.run(p, line), UsageError);
    assert.equal(kernel.run(p, '$1').text, '$3 = 4294899021\n');
  });
  test('a session has values of its own', () => {
    printed();
    assert.throws(() => machine().run(p, '$1'), UsageError);
  });
});

describe('p', () => {
  test('a variable with its name, an expression without; values are numbered', () => {
    const kernel = machine();
    assert.equal(kernel.run(p, 'jiffies').text, 'jiffies = $1 = 4294899021\n');
    assert.equal(kernel.run(p, '-x jiffies').text, 'jiffies = $2 = 0xfffef54d\n');
    assert.equal(kernel.run(p, '(1 + 2) * 3').text, '$3 = 9\n');
    assert.equal(kernel.run(p, '-5').text, '$4 = -5\n');
    assert.equal(kernel.run(p, 'stat.name').text, '$5 = "ab\\000"\n');
    assert.equal(kernel.run(p, 'stat').text, 'stat = $6 = {\n  n = 9223372036854775808,\n  name = "ab\\000"\n}\n');
    assert.match(kernel.run(p, '&jiffies').text, /^\$7 = \(.*unsigned long \*\) 0x\w+ <jiffies>\n$/);
  });
  test('a per-CPU variable: where its copies are, or the copies', () => {
    const kernel = machine();
    assert.equal(
      kernel.run(p, 'counter').text,
      'PER-CPU DATA TYPE:\n  u32 counter;\nPER-CPU ADDRESSES:\n  [0]: 11000\n  [1]: 21000\n',
    );
    assert.equal(kernel.run(p, 'counter:a').text, 'per_cpu(counter, 0) = $1 = 5\nper_cpu(counter, 1) = $2 = 6\n');
    assert.equal(kernel.run(p, 'counter:1').text, 'per_cpu(counter, 1) = $3 = 6\n');
  });
  test('CPUs of a variable that has no copies are ignored, and that is told', () => {
    const output = machine().run(p, 'jiffies:0');
    assert.match(output.text, /4294899021/);
    assert.equal(output.faults.length, 1);
  });
  test('JSON has exact values', () => {
    const data = JSON.parse(toJson(machine().run(p, 'stat').data)) as { values: { value: unknown }[] };
    assert.deepEqual(data.values[0]?.value, { n: '0x8000000000000000', name: 'ab' });
  });
});
