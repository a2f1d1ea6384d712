import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { BtfTypes } from '../../src/debuginfo/btf.ts';
import { integerTypes } from '../../src/debuginfo/c_base_type.ts';
import { declare, definition, enumText, memberDefinition, typeText } from '../../src/debuginfo/c_declaration.ts';
import type { CompoundType, EnumType, Type } from '../../src/debuginfo/type.ts';
import { BtfWriter } from '../support/btf_writer.ts';

const int = integerTypes.get('int')!;
const char = integerTypes.get('char')!;
const pointer = (target: Type): Type => ({ kind: 'pointer', size: 8, target });
const array = (element: Type, length: number): Type => ({ kind: 'array', element, length });
const constant = (target: Type): Type => ({ kind: 'const', target });
const func = (returns: Type, ...parameters: Type[]): Type => ({
  kind: 'function',
  returns,
  parameters: parameters.map((type) => ({ name: '', type })),
  variadic: false,
});
const page: CompoundType = { kind: 'struct', name: 'page', size: 64, members: [] };

// The right column is what gdb's ptype prints for the same C.
test('declarators read as gdb writes them', () => {
  const cases: [Type, string][] = [
    [int, 'int x'],
    [pointer(page), 'struct page *x'],
    [pointer(pointer(char)), 'char **x'],
    [array(array(int, 3), 2), 'int x[2][3]'],
    [array(pointer(char), 4), 'char *x[4]'],
    [pointer(array(char, 16)), 'char (*x)[16]'],
    [pointer(func(int, int, pointer(char))), 'int (*x)(int, char *)'],
    [array(pointer(func(int)), 3), 'int (*x[3])(void)'],
    [pointer(func(pointer(func({ kind: 'void' }, integerTypes.get('long')!)), int)), 'void (*(*x)(int))(long)'],
    [func(pointer(page), int), 'struct page *x(int)'],
    [pointer(constant(char)), 'const char *x'],
    [constant(pointer(constant(char))), 'const char * const x'],
    [{ kind: 'restrict', target: pointer(int) }, 'int * restrict x'],
    [pointer({ kind: 'volatile', target: page }), 'volatile struct page *x'],
    [constant({ kind: 'volatile', target: int }), 'const volatile int x'],
    [constant(array(int, 3)), 'const int x[3]'],
    [pointer({ kind: 'typedef', name: 'handler_t', target: func(int) }), 'handler_t *x'],
    [{ kind: 'incomplete', tag: 'union', name: 'u' }, 'union u x'],
    [pointer({ kind: 'struct', name: '', size: 4, members: [] }), 'struct {...} *x'],
  ];
  for (const [type, text] of cases) assert.equal(declare(type, 'x'), text);
});

test('types without a name read as in casts', () => {
  assert.equal(typeText(pointer(array(char, 16))), 'char (*)[16]');
  assert.equal(typeText(pointer(func(int, pointer(constant({ kind: 'void' }))))), 'int (*)(const void *)');
  assert.equal(typeText(func({ kind: 'void' })), 'void (void)');
  assert.equal(typeText(constant(pointer(char))), 'char * const');
  assert.equal(typeText({ kind: 'function', returns: int, parameters: [], variadic: true }), 'int (...)');
});

function types(): BtfTypes {
  const btf = new BtfWriter();
  const unsigned = btf.int('unsigned int', 4);
  const long = btf.int('long unsigned int', 8);
  const list = btf.struct('list_head', 16, [
    ['next', btf.next + 1, 0],
    ['prev', btf.next + 1, 64],
  ]);
  btf.pointer(list);
  const deep = btf.struct('', 16, [
    ['index', long, 0],
    ['private', long, 64],
  ]);
  const named = btf.struct('', 8, [
    ['a', unsigned, 0],
    ['b', unsigned, 32],
  ]);
  const union = btf.union('', 16, [
    ['lru', list, 0],
    ['', deep, 0],
    ['pair', named, 0],
  ]);
  const kind = btf.enum('', { A: 0, B: 5 });
  const page = btf.struct('page', 120, [
    ['flags', long, 0],
    ['', union, 64],
    ['order', unsigned, 192, 3],
    ['kind', kind, 224],
    ['marks', btf.array(unsigned, 0), 256],
    ['pairs', btf.array(named, 2), 256],
    ['tail', btf.array(long, 0), 960],
  ]);
  btf.typedef('page_t', btf.pointer(page));
  btf.typedef('counter_t', btf.struct('', 4, [['counter', unsigned, 0]]));
  btf.typedef('ulong', long);
  btf.struct('nothing', 0);
  btf.enum('pid_type', { PID: 0, SID: 3, MAX: 4 });
  return new BtfTypes(btf.bytes());
}

const pageText = `struct page {
    unsigned long flags;
    union {
        struct list_head lru;
        struct {
            unsigned long index;
            unsigned long private;
        };
        struct {
            unsigned int a;
            unsigned int b;
        } pair;
    };
    unsigned int order : 3;
    enum {A, B = 5} kind;
    unsigned int marks[0];
    struct {
        unsigned int a;
        unsigned int b;
    } pairs[2];
    unsigned long tail[];
}
SIZE: 120`;

const pageOffsets = `struct page {
    [0] unsigned long flags;
        union {
    [8]     struct list_head lru;
            struct {
    [8]         unsigned long index;
   [16]         unsigned long private;
            };
            struct {
                unsigned int a;
                unsigned int b;
    [8]     } pair;
        };
   [24] unsigned int order : 3;
   [28] enum {A, B = 5} kind;
   [32] unsigned int marks[0];
        struct {
            unsigned int a;
            unsigned int b;
   [32] } pairs[2];
  [120] unsigned long tail[];
}
SIZE: 120`;

test('a struct is spelled out with all that is nameless in it', () => {
  assert.equal(definition(types().find('page')!), pageText);
});

test('offsets stand in a column as wide as the size of the struct needs', () => {
  const source = types();
  assert.equal(definition(source.find('page')!, { radix: 10 }), pageOffsets);
  assert.equal(
    definition(source.find('list_head')!, { radix: 16 }),
    `struct list_head {
   [0x0] struct list_head *next;
   [0x8] struct list_head *prev;
}
SIZE: 0x10`,
  );
  assert.equal(
    definition(source.find('list_head')!, { radix: 10, address: 0xffff_ffff_8100_0000n }),
    `struct list_head {
  [ffffffff81000000] struct list_head *next;
  [ffffffff81000008] struct list_head *prev;
}
SIZE: 16`,
  );
});

test('typedefs, enums, empty structs and base types have the forms that crash gives them', () => {
  const source = types();
  const text = (name: string) => definition(source.find(name)!);
  assert.equal(text('counter_t'), 'typedef struct {\n    unsigned int counter;\n} counter_t;\nSIZE: 4');
  assert.equal(text('ulong'), 'typedef unsigned long ulong;\nSIZE: 8');
  assert.match(text('page_t'), /^typedef struct page \{\n.*\n\} \* page_t;\nSIZE: 8$/s);
  assert.equal(text('nothing'), 'struct nothing {\n    <no data fields>\n}\nSIZE: 0');
  assert.equal(text('pid_type'), 'enum pid_type {\n  PID = 0\n  SID = 3\n  MAX = 4\n};');
  assert.equal(text('unsigned long'), 'SIZE: 8');
  assert.equal(enumText(source.find('pid_type') as EnumType), 'enum pid_type {PID, SID = 3, MAX}');
});

test('one member is cut out of the whole, with its offset', () => {
  const page = types().find('page') as CompoundType;
  const member = (name: string) => memberDefinition(page, name, { radix: 10 });
  assert.equal(member('flags'), 'struct page {\n    [0] unsigned long flags;\n}');
  assert.equal(member('private'), 'struct page {\n   [16]         unsigned long private;\n}');
  assert.equal(
    member('pairs'),
    `struct page {
        struct {
            unsigned int a;
            unsigned int b;
   [32] } pairs[2];
}`,
  );
  assert.equal(member('absent'), null);
});

test('of a group that is in a struct twice, once by name, the members have their offsets in both', () => {
  const int: Type = { kind: 'int', name: 'int', size: 4, signed: true, encoding: 'integer' };
  const group = (): Type => ({
    kind: 'struct',
    name: '',
    size: 8,
    members: [
      { name: 'a', type: int, bitOffset: 0, bitSize: 0 },
      { name: 'b', type: int, bitOffset: 32, bitSize: 0 },
    ],
  });
  const twice: Type = {
    kind: 'union',
    name: '',
    size: 8,
    members: [
      { name: '', type: group(), bitOffset: 0, bitSize: 0 },
      { name: 'headers', type: group(), bitOffset: 0, bitSize: 0 },
    ],
  };
  const whole: Type = {
    kind: 'struct',
    name: 'packet',
    size: 16,
    members: [
      { name: 'first', type: int, bitOffset: 0, bitSize: 0 },
      { name: '', type: twice, bitOffset: 64, bitSize: 0 },
    ],
  };
  assert.equal(definition(whole, { radix: 10 }).match(/\[12\] +int b;/g)?.length, 2);
});

test('a member of a named struct has no offset by its name alone: that of another place would be wrong', () => {
  const int: Type = { kind: 'int', name: 'int', size: 4, signed: true, encoding: 'integer' };
  const a = { name: 'a', type: int, bitOffset: 0, bitSize: 0 };
  const inner: Type = { kind: 'struct', name: '', size: 4, members: [a] };
  const members = [a, { name: 'x', type: inner, bitOffset: 32, bitSize: 0 }];
  const text = definition({ kind: 'struct', name: 'outer', size: 8, members }, { radix: 10 });
  assert.equal(text.match(/\[\d+\] +int a;/g)?.length, 1, text);
});

test('structs that nest in a circle end in an error or an ellipsis', () => {
  const btf = new BtfWriter();
  const loop = btf.next;
  btf.struct('', 8, [
    ['a', loop, 0],
    ['b', loop, 0],
  ]);
  const outer = btf.struct('outer', 8, [['a', loop, 0]]);
  const source = new BtfTypes(btf.bytes());
  assert.throws(() => definition(source.typeById(outer)), FormatError);
});
