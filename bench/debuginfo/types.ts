// Types and global variables beside gdb and drgn; and every struct of BTF beside the same in DWARF.
import { definition, typeText } from '../../src/debuginfo/c_declaration.ts';
import { tag } from '../../src/debuginfo/dwarf/constants.ts';
import { DwarfInfo } from '../../src/debuginfo/dwarf/dwarf_info.ts';
import { DwarfTypes } from '../../src/debuginfo/dwarf/dwarf_types.ts';
import { NameIndex } from '../../src/debuginfo/dwarf/name_index.ts';
import { scanUnit } from '../../src/debuginfo/dwarf/scan.ts';
import { dwarfOf } from '../../src/debuginfo/files/debug_link.ts';
import { openObjectFile } from '../../src/debuginfo/files/object_file.ts';
import type { CompoundType, EnumType, Type } from '../../src/debuginfo/type.ts';
import { type Comparison, entered, output, type Setup, sample, seenInside, withFile } from './setup.ts';
import { drgnScript, type TheirValue, valueDifference } from './values.ts';

/** `struct` of random types of the vmlinux, as text, beside gdb's `ptype`. */
export function compareStructs(setup: Setup, count: number): Comparison {
  const { dwarf } = openDwarf(setup);
  const names: string[] = [];
  for (const type of dwarf.types.all()) {
    if (!isNamedCompound(type)) continue;
    const name = `${type.kind} ${type.name}`;
    if (dwarf.types.find(name) !== null) names.push(name); // Rust's types are found with their modules alone
  }
  const chosen = sample(
    names.filter((name) => /^\w+ \w+$/.test(name)),
    count,
    setup.seed,
  );
  const theirs = gdb(
    setup,
    chosen.map((name) => `ptype ${name}`),
  );
  const differences: string[] = [];
  for (const [i, name] of chosen.entries()) {
    const type = dwarf.types.find(name);
    const mine = type === null ? 'not found' : flat(definition(type).replace(/^SIZE: .*$/m, ''));
    const said = theirs[i]!.replace(/^type = /, '');
    const their = flat(type?.kind === 'enum' ? numbered(said, type) : said);
    if (!agrees(mine, their)) differences.push(`${name}: ${firstDifference(mine, their)}`);
  }
  const what = 'struct, union and enum of random types, as gdb ptype';
  return { what, compared: chosen.length, equal: chosen.length - differences.length, differences, notes: [] };
}

/** The types of random globals beside gdb's `whatis`, and their values beside drgn. */
export function compareGlobals(setup: Setup, program: string, count: number): Comparison[] {
  const { dump, vmlinux, modules, seed, kernel } = setup;
  const { dwarf, index } = openDwarf(setup);
  const times = new Map<string, number>();
  for (const { name } of index.all(['variable'], () => true)) times.set(name, (times.get(name) ?? 0) + 1);
  // of several static variables of one name each program takes one
  const names = [...times].filter(
    ([name, n]) => n === 1 && /^\w+$/.test(name) && kernel.symbols.findAll(name).length === 1,
  );
  const chosen = sample(
    names.map(([name]) => name),
    count,
    seed,
  );

  const types = gdb(
    setup,
    chosen.map((name) => `whatis ${name}`),
  );
  const typeDifferences: string[] = [];
  for (const [i, name] of chosen.entries()) {
    const type = dwarf.variable(name);
    const mine = type === null ? 'not known' : flat(typeText(type));
    const their = flat(types[i]!.replace(/^type = /, ''));
    if (mine !== their) typeDifferences.push(`${name}: ${mine}, gdb ${their}`);
  }

  const inside = (path: string) => seenInside(setup, path);
  const values = JSON.parse(
    output(
      entered(setup, ['drgn', '-q', '-c', inside(dump), '-s', inside(vmlinux), '-e', drgnScript('globals.py')]),
      chosen.join('\n'),
    ),
  ) as Record<string, { readonly value: TheirValue } | { readonly missing: string }>;
  const said = withFile(
    `${chosen.map((name) => `p ${name}${isPerCpu(setup, name) ? ':0' : ''}`).join('\n')}\n`,
    (path) => output([process.execPath, program, 'crash', '--json', dump, vmlinux, ...modules, '-i', path], '', [0, 1]),
  );
  const ours = said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as OurValues);
  const valueDifferences: string[] = [];
  let compared = 0;
  const absent: string[] = [];
  for (const [i, name] of chosen.entries()) {
    const their = values[name];
    const own = ours[i]?.data?.values;
    if (their === undefined || 'missing' in their) {
      absent.push(`${name}: ${their?.missing ?? 'nothing'}, inquest ${own === undefined ? 'neither' : 'has it'}`);
      continue;
    }
    compared++;
    const difference = own === undefined ? 'inquest has none' : valueDifference(their.value, own[0]!.value);
    if (difference !== null) valueDifferences.push(`${name}: ${difference}`);
  }
  return [
    {
      what: 'whatis of random globals, as gdb',
      compared: chosen.length,
      equal: chosen.length - typeDifferences.length,
      differences: typeDifferences,
      notes: [],
    },
    {
      what: 'p of random globals, as drgn',
      compared,
      equal: compared - valueDifferences.length,
      differences: valueDifferences,
      notes: absent.length === 0 ? [] : [`${absent.length} that drgn does not read: ${absent.slice(0, 3).join('; ')}`],
    },
  ];
}

interface OurValues {
  readonly data: { readonly values: readonly { readonly value: unknown }[] } | null;
}

/** Every struct, union and enum that the dump's BTF names, member by member, beside those of that name in DWARF. */
export function compareBtf(setup: Setup): Comparison {
  const { dwarf } = openDwarf(setup);
  const btf = setup.kernel.debugInfo(null).find(({ origin }) => origin === 'BTF');
  const differences: string[] = [];
  const unlike = new Map<string, { readonly mine: string; readonly first: string }>();
  let compared = 0;
  const alone: string[] = [];
  for (const type of btf?.types.all() ?? []) {
    if (!isNamedCompound(type)) continue;
    const name = `${type.kind} ${type.name}`;
    const first = dwarf.types.find(name);
    if (first === null || first.kind === 'incomplete') {
      alone.push(name);
      continue;
    }
    compared++;
    const mine = shape(type);
    if (shape(first) === mine) continue;
    unlike.set(name, { mine, first: shape(first) });
  }
  // several units may define a name, each in its own way
  const others = everyDefinition(dwarf, new Set(unlike.keys()));
  for (const [name, { mine, first }] of unlike) {
    if (!others.get(name)?.has(mine)) differences.push(`${name}: ${firstDifference(mine, first)}`);
  }
  return {
    what: 'types of BTF, member by member, as in DWARF',
    compared,
    equal: compared - differences.length,
    differences,
    notes: alone.length === 0 ? [] : [`${alone.length} in BTF alone: ${alone.slice(0, 5).join(', ')}`],
  };
}

function isPerCpu({ kernel }: Setup, name: string): boolean {
  const { address } = kernel.variable(name);
  const start = kernel.optionalVariable('__per_cpu_start')?.address ?? 0n;
  return address >= start && address < (kernel.optionalVariable('__per_cpu_end')?.address ?? 0n);
}

function openDwarf({ vmlinux }: Setup): { dwarf: DwarfInfo; index: NameIndex } {
  const file = dwarfOf(
    openObjectFile(vmlinux, () => {}),
    [],
    () => null,
  );
  if (file === null) throw new Error(`${vmlinux} has no DWARF`);
  return { dwarf: new DwarfInfo(file, 'vmlinux', 0n), index: new NameIndex(file) };
}

const kinds = new Map<number, string>([
  [tag.structureType, 'struct'],
  [tag.unionType, 'union'],
  [tag.enumerationType, 'enum'],
]);

/** The shapes of all definitions of these types in all units. */
function everyDefinition(dwarf: DwarfInfo, names: ReadonlySet<string>): Map<string, Set<string>> {
  const built = new DwarfTypes(() => null);
  const shapes = new Map<string, Set<string>>();
  for (const unit of dwarf.file.units) {
    scanUnit(unit, ({ tag: of, offset }) => {
      const kind = kinds.get(of);
      if (kind === undefined) return;
      const die = unit.die(offset);
      if (!names.has(`${kind} ${die.name}`)) return;
      const type = built.type(die);
      if (!isNamedCompound(type)) return;
      const name = `${type.kind} ${type.name}`;
      shapes.set(name, (shapes.get(name) ?? new Set()).add(shape(type)));
    });
  }
  return shapes;
}

function isNamedCompound(type: Type): type is CompoundType | EnumType {
  return (type.kind === 'struct' || type.kind === 'union' || type.kind === 'enum') && type.name !== '';
}

/** A type in one line, with its members' places and types. */
function shape(type: Type): string {
  if (type.kind === 'enum') return `${type.size} ${type.values.map(({ name, value }) => `${name}=${value}`).join(' ')}`;
  if (type.kind !== 'struct' && type.kind !== 'union') return typeText(type);
  const members = type.members.map(({ name, type: of, bitOffset, bitSize }) => {
    const inner = (of.kind === 'struct' || of.kind === 'union') && of.name === '' ? `{${shape(of)}}` : typeText(of);
    // BTF of older pahole has arrays of several dimensions as one of as many elements
    const elements = inner.replace(
      /(?:\[\d+\]){2,}/g,
      (all) => `[${[...all.matchAll(/\d+/g)].reduce((n, [d]) => n * Number(d), 1)}]`,
    );
    return `${bitOffset}:${bitSize} ${elements} ${name}`;
  });
  return `${type.size} ${members.join('; ')}`;
}

/** What gdb answers to each command. */
function gdb({ vmlinux }: Setup, commands: readonly string[]): string[] {
  const marked = commands.flatMap((command, i) => [`echo @@${i}\\n`, command]);
  const settings = ['set max-value-size unlimited', 'set print type hex off', 'set language c'];
  const said = withFile([...settings, ...marked, ''].join('\n'), (path) =>
    output(['gdb', '-nx', '-q', '-batch', '-x', path, vmlinux], '', [0, 1], true),
  );
  const answers: string[] = commands.map(() => '');
  for (const part of said.split(/^@@/m).slice(1)) {
    const end = part.indexOf('\n');
    answers[Number(part.slice(0, end))] = part.slice(end + 1).trim();
  }
  return answers;
}

/** An enum as gdb prints it, with the numbers that it leaves out where they count on from one to the next. */
function numbered(said: string, { size, signed }: EnumType): string {
  let next = 0n;
  return said.replace(/,? *(\w+)(?: = (-?\d+))?(?=[,}])/g, (_, name: string, number: string | undefined) => {
    const value = number === undefined ? next : BigInt(number);
    next = value + 1n;
    return ` ${name} = ${signed ? value : BigInt.asUintN(size * 8, value)}`;
  });
}

function flat(text: string): string {
  // gdb has `const[4]`, and `[]` for arrays of no told length
  return text
    .replace(/\s+/g, ' ')
    .replace(/\* /g, '*')
    .replace(/const \[/g, 'const[')
    .replace(/\[\]/g, '[0]')
    .replace(/ ?\}/g, '}')
    .replace(/;$/, '')
    .trim();
}

/** True where gdb says the same: of structs deep in others it prints `{...}` alone. */
function agrees(mine: string, their: string): boolean {
  let at = 0;
  for (let i = 0; i < their.length; i++, at++) {
    if (!their.startsWith('{...}', i)) {
      if (mine[at] !== their[i]) return false;
      continue;
    }
    let depth = 0;
    for (; at < mine.length; at++) {
      if (mine[at] === '{') depth++;
      if (mine[at] === '}' && --depth === 0) break;
    }
    i += '{...}'.length - 1;
  }
  return at === mine.length;
}

function firstDifference(mine: string, their: string): string {
  let at = 0;
  while (at < mine.length && mine[at] === their[at]) at++;
  const from = Math.max(0, at - 30);
  return `"${mine.slice(from, at + 40)}", theirs "${their.slice(from, at + 40)}"`;
}
