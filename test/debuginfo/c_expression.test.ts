import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../src/base/address.ts';
import { InquestError, MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { typeText } from '../../src/debuginfo/c_declaration.ts';
import { type ExpressionEnvironment, evaluate, typeNamed } from '../../src/debuginfo/c_expression.ts';
import { type Macro, macroText, parseMacro } from '../../src/debuginfo/c_macro.ts';
import { KernelObject } from '../../src/debuginfo/object.ts';
import { parseCTypes } from '../support/c_types.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const base = 0xffff_8880_0000_0000n;
const text = 0xffff_ffff_8100_0000n;

function machine(): ExpressionEnvironment {
  const types = parseCTypes(`
    struct list_head { struct list_head *next; struct list_head *prev; };
    enum pid_type { PID, TGID, SID = 3 };
    struct task { int pid; unsigned on_rq : 2; unsigned rest : 30; char comm[16]; struct list_head tasks; struct task *parent;
      union { u64 wide; u32 narrow; }; };
  `);
  const space = new SyntheticSpace();
  space.map(base, 4096);
  const context = { space, types };
  const task = KernelObject.at(context, 'task', virtAddr(base));
  space.write(base, Buffer.from([7, 0, 0, 0, 3, 0, 0, 0]));
  space.write(base + 8n, Buffer.from('init\0'));
  space.words(base + 24n, base + 24n, base + 24n, base, 0x1_0000_0002n);
  const symbols = new Map<string, KernelObject>(
    Object.entries({
      init_task: task,
      'level.3': KernelObject.at(context, 'int', virtAddr(base)),
      schedule: KernelObject.at(
        context,
        { kind: 'function', returns: { kind: 'void' }, parameters: [], variadic: false },
        virtAddr(text),
      ),
    }),
  );
  return { context, symbol: (name) => symbols.get(name) ?? null, macro: (name) => macros.get(name) ?? null };
}

const macros = new Map<string, Macro>();
for (const text of [
  'WIDGETS 42',
  'TWICE(x) ((x) * 2)',
  'AREA(w,h) (TWICE(w) * (h) / 2)',
  'EMPTY() 7',
  'its_pid pid', // as sk_state is __sk_common.skc_state
  'AROUND (AROUND + 1)',
  'THERE (BACK)',
  'BACK (THERE)',
  'jiffies 1',
  'GREETING "hello"',
  'ADDRESS_OF(thing) (&(thing))',
  ...Array.from({ length: 20 }, (_, i) => `GROW${i} GROW${i + 1} + GROW${i + 1}`),
]) {
  const macro = parseMacro(text)!;
  macros.set(macro.name, macro);
}

const environment = machine();
const value = (expression: string) => evaluate(expression, environment).bigint();
const type = (expression: string) => typeText(evaluate(expression, environment).type);

test('what is no C expression is refused by a message that says where', () => {
  const cases: [string, RegExp][] = [
    ['', /expected a value, found end of expression/],
    ['(', /expected a value/],
    ['1 +', /expected a value/],
    ['1 2', /unexpected `2'/],
    ['(1', /expected \), found end/],
    ['init_task.', /expected a member/],
    ['init_task[', /expected a value/],
    ["'ab", /unmatched single quote/],
    ['"abc"', /unexpected character/],
    ['08', /invalid number: 08/],
    ['3.5', /invalid number: 3.5/],
    ['0x', /invalid number/],
    ['1uu', /invalid number/],
    ['18446744073709551616', /number is too large/],
    ['struct task', /a type, where a value is expected/],
    ['sizeof(struct task', /expected \)/],
    ['(struct) 1', /expected the name of a struct/],
    ['init_task.pid = 5', /cannot be changed/],
    ['init_task.pid += 5', /cannot be changed/],
    ['++init_task.pid', /cannot be changed/],
    ['schedule()', /cannot be called/],
    ['1/0', /division by zero/],
    ['1%0', /division by zero/],
    ['1 << -1', /shift count is negative/],
    ['&1', /only what is in memory has an address/],
    ['&init_task.on_rq', /bit field has no address/],
    ['*1', /no pointer/],
    ['*(void *)0', /void pointer/],
    ['1[2]', /neither an array nor a pointer/],
    ['init_task + 1', /neither a number nor a pointer|not an integer/],
    ['&init_task * 2', /operands of \* are pointers/],
    ['(struct task)5', /invalid cast/],
    ['init_task.pid.x', /no struct/],
  ];
  for (const [expression, message] of cases) {
    assert.throws(
      () => value(expression),
      (error) => error instanceof UsageError && message.test(error.message),
      expression,
    );
  }
});

test('names that nothing has are named', () => {
  assert.throws(() => value('no_such'), /symbol not found: no_such/);
  assert.throws(() => value('init_task.absent'), /member not found: struct task.absent/);
  assert.throws(() => value('(struct absent *)0'), NotFoundError);
  assert.throws(() => value('sizeof(enum absent)'), NotFoundError);
});

test('nesting without end and long texts are refused', () => {
  for (const expression of [
    '('.repeat(5000),
    '-'.repeat(5000),
    '*'.repeat(300),
    `(${'int *'.repeat(20)}*`.repeat(200),
  ]) {
    assert.throws(() => value(expression), UsageError);
  }
  assert.throws(() => value('1'.repeat(20_000)), UsageError);
  assert.throws(() => value(`1${'+1'.repeat(8000)}`), UsageError);
  assert.throws(() => value(`init_task${'[0]'.repeat(8000)}`), UsageError);
  assert.equal(value(`1${'+1'.repeat(3000)}`), 3001n);
});

test('objects, members, elements and addresses', () => {
  assert.equal(value('init_task.pid'), 7n);
  assert.equal(value('(&init_task)->pid'), 7n);
  assert.equal(value('init_task->pid'), 7n, 'gdb takes either');
  assert.equal(value('init_task.parent->parent->on_rq'), 3n);
  assert.equal(value('&init_task'), base);
  assert.equal(value('&init_task.tasks'), base + 24n);
  assert.equal(value('init_task.tasks.next'), base + 24n);
  assert.equal(value('init_task.comm[1]'), BigInt('n'.charCodeAt(0)));
  assert.equal(value('*init_task.comm'), BigInt('i'.charCodeAt(0)));
  assert.equal(value('init_task.narrow'), 2n);
  assert.equal(value(`((struct task *)0x${base.toString(16)})->wide`), 0x1_0000_0002n);
  assert.equal(value("'level.3'"), 7n);
  assert.equal(evaluate('init_task.comm', environment).string(), 'init');
  assert.equal(evaluate('*init_task.comm@2', environment).string(), 'in');
  assert.equal(value('*&init_task.pid'), 7n);
  assert.equal(value('&schedule'), text);
  assert.throws(() => value('((struct task *)0)->pid'), MemoryFault);
});

test('pointer arithmetic counts elements', () => {
  assert.equal(value('&init_task + 2'), base + 2n * 56n);
  assert.equal(value('2 + &init_task'), base + 2n * 56n);
  assert.equal(value('&init_task - 1'), base - 56n);
  assert.equal(value('&init_task.comm[5] - &init_task.comm[1]'), 4n);
  assert.equal(value('(void *)16 + 1'), 17n);
  assert.equal(value('&init_task == init_task.parent'), 1n);
  assert.equal(value('&init_task < &init_task + 1'), 1n);
  assert.equal(value('!init_task.parent'), 0n);
  assert.equal(value('(unsigned long)&init_task & 0xfff'), 0n);
  assert.equal(value('&((struct task *)0)->comm'), 8n);
});

test('types are those of C, so that print names and widens them rightly', () => {
  const cases: [string, string][] = [
    ['1', 'int'],
    ['2147483648', 'long'],
    ['0xffffffff', 'unsigned int'],
    ['0x8000000000000000', 'unsigned long'],
    ['1u', 'unsigned int'],
    ['1ul', 'unsigned long'],
    ["'a'", 'char'],
    ["'a' + 1", 'int'],
    ['1 + 1ul', 'unsigned long'],
    ['1u + 1l', 'long'],
    ['1 < 2', 'int'],
    ['&init_task', 'struct task *'],
    ['&init_task.comm', 'char (*)[16]'],
    ['&init_task.comm[0]', 'char *'],
    ['init_task.comm + 1', 'char *'],
    ['sizeof(int)', 'unsigned long'],
    ['(unsigned long long)1', 'unsigned long long'],
    ['(int (*)(char *, long))0', 'int (*)(char *, long)'],
    ['(char (*)[16])0', 'char (*)[16]'],
    ['(const struct task **)0', 'const struct task **'],
    ['(task *)0', 'struct task *'],
    ['SID', 'enum pid_type'],
  ];
  for (const [expression, expected] of cases) assert.equal(type(expression), expected, expression);
});

test('sizeof reads no memory', () => {
  assert.equal(value('sizeof(struct task)'), 56n);
  assert.equal(value('sizeof init_task'), 56n);
  assert.equal(value('sizeof(((struct task *)0)->tasks)'), 16n);
  assert.equal(value('sizeof(*((struct task *)16)->parent->parent)'), 56n);
  assert.equal(value('sizeof(((struct task *)0)->comm[3/0])'), 1n);
  assert.equal(value('sizeof(char [10])'), 10n);
  assert.equal(value('sizeof(struct task *)'), 8n);
});

test('the side of && || ?: that C does not evaluate is not read', () => {
  const dead = '((struct task *)0)->pid';
  assert.equal(value(`0 && ${dead}`), 0n);
  assert.equal(value(`1 || ${dead}`), 1n);
  assert.equal(value(`1 ? 2 : ${dead}`), 2n);
  assert.equal(value(`0 ? ${dead} : 1 ? 4 : 5`), 4n);
  assert.throws(() => value(`1 && ${dead}`), MemoryFault);
});

test('results that gdb gives', () => {
  const cases: [string, bigint][] = [
    ['(1+2)*3', 9n],
    ['1 + 2 * 3', 7n],
    ['10 - 4 - 3', 3n],
    ['2 * 3 % 4', 2n],
    ['-5 / 2', -2n],
    ['-5 % 3', -2n],
    ['1 << 31', -2147483648n],
    ['1 << 40', 0n],
    ['1l << 40', 1n << 40n],
    ['(unsigned long)1 << 63', 1n << 63n],
    ['-1 >> 4', -1n],
    ['~0', -1n],
    ['~0UL', 0xffff_ffff_ffff_ffffn],
    ['-1 > 0U', 1n],
    ['-1 < 0', 1n],
    ['(unsigned char)200', 200n],
    ['(char)200', -56n],
    ['(short)-1', -1n],
    ['(int)0xffffffff', -1n],
    ['(bool)5', 1n],
    ['077', 63n],
    ["'\\n'", 10n],
    ["'\\''", 39n],
    ["'\\377'", -1n],
    ['1 | 2 ^ 3 & 4', 3n],
    ['1 == 1 == 1', 1n],
    ['(1, 5)', 5n],
    ['TGID + 1', 2n],
    ['!!7', 1n],
  ];
  for (const [expression, expected] of cases) assert.equal(value(expression), expected, expression);
});

test('type names are understood as in casts', () => {
  for (const name of ['struct list_head *', 'unsigned long', 'int (*)(int, ...)', 'char *[4]', 'const int *']) {
    assert.equal(typeText(typeNamed(name, environment)), name);
  }
  assert.throws(() => typeNamed('struct task x', environment), UsageError);
});

// An independent reading of C's 64-bit arithmetic, over trees that are printed with all their parentheses.
type Tree = { text: string; value: bigint; unsigned: boolean };
const wrap = (value: bigint, unsigned: boolean) => (unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value));
const leaf: fc.Arbitrary<Tree> = fc
  .record({ n: fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffff_ffffn }), unsigned: fc.boolean(), hex: fc.boolean() })
  .map(({ n, unsigned, hex }) => ({
    text: `${hex ? `0x${n.toString(16)}` : n}${unsigned ? 'ul' : 'l'}`,
    value: n,
    unsigned,
  }));
const operations: Record<string, (a: bigint, b: bigint) => bigint> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '/': (a, b) => (b === 0n ? 0n : a / b),
  '%': (a, b) => (b === 0n ? 0n : a % b),
};
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.tuple(fc.constantFrom(...Object.keys(operations)), tie('tree'), tie('tree')).map(([operator, a, b]) => {
      const unsigned = a.unsigned || b.unsigned;
      const [x, y] = [wrap(a.value, unsigned), wrap(b.value, unsigned)];
      if ((operator === '/' || operator === '%') && y === 0n) return a;
      return {
        text: `(${a.text} ${operator} ${b.text})`,
        value: wrap(operations[operator]!(x, y), unsigned),
        unsigned,
      };
    }),
    fc.tuple(fc.constantFrom('-', '~'), tie('tree')).map(([operator, a]) => ({
      text: `${operator}(${a.text})`,
      value: wrap(operator === '-' ? -a.value : ~a.value, a.unsigned),
      unsigned: a.unsigned,
    })),
  ),
}));

test('arithmetic is that of 64-bit C', () => {
  fc.assert(
    fc.property(tree, (t) => {
      assert.equal(value(t.text), t.value, t.text);
    }),
  );
});

test('any text gives a value or one of our errors', () => {
  const words = fc.constantFrom(
    ...['init_task', '.', '->', 'pid', '(', ')', '[', ']', '*', '&', '+', '-', '<<', '?', ':', '1', '0x10', "'a'"],
    ...['struct', 'task', 'unsigned', 'long', 'sizeof', ',', '@', '&&', '/', 'comm', 'tasks', 'schedule', '~', '%'],
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words, { maxLength: 20 }).map((w) => w.join(' ')),
      ),
      (expression) => {
        try {
          const object = evaluate(expression, environment);
          typeText(object.type);
        } catch (error) {
          assert.ok(error instanceof InquestError, `${expression}: ${String(error)}`);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('macros stand for what they were defined as', () => {
  assert.equal(value('WIDGETS + 1'), 43n);
  assert.equal(value('AREA(2 + 1, 4)'), 12n);
  assert.equal(value('AREA(TWICE(1), (4, 5))'), 10n);
  assert.equal(value('EMPTY() + 1'), 8n);
  assert.equal(value('init_task.its_pid'), value('init_task.pid'));
  assert.equal(type('ADDRESS_OF(init_task)'), type('&init_task'));
  assert.equal(macroText(macros.get('AREA')!), '#define AREA(w, h) (TWICE(w) * (h) / 2)');
});

test('macros that are no expression, have other arguments or do not end are refused', () => {
  const cases: [string, RegExp][] = [
    ['AROUND', /not found: AROUND/], // its own name in it is not expanded again
    ['THERE', /not found: THERE/],
    ['AREA(1)', /AREA takes 2 arguments, not 1/],
    ['EMPTY(1)', /EMPTY takes 0 arguments, not 1/],
    ['AREA(1, 2', /arguments of AREA do not end/],
    ['GREETING', /GREETING is a macro that is no expression/],
    ['GROW0', /more than 20000 words/],
    ['TWICE', /not found: TWICE/],
  ];
  for (const [text, message] of cases) assert.throws(() => value(text), message, text);
});
