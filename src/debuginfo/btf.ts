// BTF: the kernel's own description of its types, compiled into the kernel and so present in its memory.
// Format: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of the kernel.
//
//   header | type records, numbered from 1: name_off, info (kind, count, flag), size or type, then what
//          | the kind needs | (newer: layout of kinds) | strings, each ended by NUL
//
// A module's ("split") BTF goes on from a base: its type numbers and string offsets begin where the
// base's end. Opening makes one pass to find where each record starts; an index of names is made at the
// first search, and a type is built when it is asked for.
import { FormatError } from '../base/errors.ts';
import type { NameIndex } from './btf_names.ts';
import { BtfRecords, kinds } from './btf_records.ts';
import { buildType } from './btf_types.ts';
import { baseTypeSpellings, isBaseTypeWord } from './c_base_type.ts';
import type { FunctionType, Type, TypeSource } from './type.ts';

/** A variable that BTF knows: per-CPU ones, and on kernels built so every global one. */
export interface BtfVariable {
  readonly name: string;
  readonly type: Type;
  /** Section it lies in, for example `.data..percpu`. */
  readonly section: string;
  /** From the start of the section, bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

const voidType: Type = { kind: 'void' };

/** What a bare name means first: the lowest rank wins. */
const rankOfKind: Readonly<Record<number, number>> = {
  [kinds.struct]: 0,
  [kinds.union]: 1,
  [kinds.enum]: 2,
  [kinds.enum64]: 2,
  [kinds.typedef]: 3,
  [kinds.int]: 4,
  [kinds.float]: 4,
  [kinds.forward]: 5,
};
const rankOfEmptyEnum = 5;
/** A type that a name may mean. */
export interface Candidate {
  readonly owner: BtfTypes;
  readonly id: number;
  readonly rank: number;
}

export class BtfTypes implements TypeSource {
  /** Type numbers below this one exist; those of the base come first. */
  readonly end: number;
  /** Number of the first type of its own: 1, or where the base ends. */
  readonly first: number;
  protected readonly records: BtfRecords;
  private readonly base: BtfTypes | null;
  private readonly types = new Map<number, Type>();
  private readonly found = new Map<string, Type | null>();
  private typeIndex: NameIndex | null = null;
  private functionIndex: NameIndex | null = null;
  private variableEntries: VariableIndex | null = null;

  /**
   * @param bytes a whole BTF blob; kept, not copied
   * @param base what a module's blob goes on from: the kernel's, or a `DistilledBase`
   * @throws FormatError for a header that is not BTF's; UnsupportedError for big-endian BTF. Damage behind
   *   the header costs the types it hits: see `problem`
   */
  constructor(bytes: Uint8Array, base: BtfTypes | null = null) {
    this.base = base;
    this.first = base === null ? 1 : base.end;
    this.records = new BtfRecords(bytes, this.first, base?.records ?? null);
    this.end = this.records.end;
  }

  /** What is wrong with the blob behind its header, or null. Types before the damage can be used. */
  get problem(): FormatError | null {
    return this.records.problem;
  }

  find(name: string): Type | null {
    const wanted = name.trim().replace(/\s+/g, ' ');
    const known = this.found.get(wanted);
    if (known !== undefined) return known;
    const best = this.candidates(wanted)[0];
    const type = best === undefined ? null : best.owner.typeById(best.id);
    this.found.set(wanted, type);
    return type;
  }

  /** Every type that the name may mean, the one `find` gives first. Types of the base come after own ones of the same rank. */
  findAll(name: string): Type[] {
    return this.candidates(name.trim().replace(/\s+/g, ' ')).map(({ owner, id }) => owner.typeById(id));
  }

  /** Every named type, those of the base first. Records that cannot be read are left out. */
  *all(): Iterable<Type> {
    if (this.base !== null) yield* this.base.all();
    yield* this.own();
  }

  /** Every named type of this blob alone, without the base's. */
  *own(): Iterable<Type> {
    for (const id of this.records.namedTypes) {
      const type = this.tryType(id);
      if (type !== null) yield type;
    }
  }

  /**
   * The type of this number; 0 is void. A function's number gives its prototype, a variable's its type.
   * @throws FormatError for a number that no type has, and for records that contradict themselves
   */
  typeById(id: number): Type {
    if (id === 0) return voidType;
    if (id < this.first && this.base !== null) return this.base.typeById(id);
    const known = this.types.get(id);
    if (known !== undefined) return known;
    const type = buildType(this.records, id, (other) => this.typeById(other));
    this.types.set(id, type);
    return type;
  }

  /** Prototype of a function, or null. Functions of one name that differ are told apart by nothing: the first is given. */
  functionType(name: string): FunctionType | null {
    for (const id of this.functionNames.find(name)) {
      const type = this.tryType(id);
      if (type?.kind === 'function') return type;
    }
    return this.base?.functionType(name) ?? null;
  }

  /** A variable of this blob or of the base, or null. */
  variable(name: string): BtfVariable | null {
    return this.ownVariable(name) ?? this.base?.variable(name) ?? null;
  }

  /** Every variable, those of the base first. */
  *variables(): Iterable<BtfVariable> {
    if (this.base !== null) yield* this.base.variables();
    for (const entry of this.variableIndex.entries) {
      const variable = this.variableOf(entry);
      if (variable !== null) yield variable;
    }
  }

  private ownVariable(name: string): BtfVariable | null {
    const { entries, names } = this.variableIndex;
    // of several entries of one name, the last
    for (const at of names.find(name).reverse()) {
      const variable = this.variableOf(entries[at]!);
      if (variable !== null) return variable;
    }
    return null;
  }

  private variableOf({ section, variable, offset, size }: SectionEntry): BtfVariable | null {
    const type = this.tryType(variable);
    if (type === null) return null;
    return { name: this.records.name(variable), type, section: this.records.name(section), offset, size };
  }

  private get variableIndex(): VariableIndex {
    this.variableEntries ??= indexVariables(this.records);
    return this.variableEntries;
  }

  /** Types that the name may mean, best first. */
  candidates(wanted: string): Candidate[] {
    const [, tag, bare = ''] = /^(?:(struct|union|enum) )?(.*)$/.exec(wanted) ?? [];
    const spellings = tag === undefined && isBaseTypeWord(bare.split(' ')[0]!) ? baseTypeSpellings(bare) : [bare];
    const result: Candidate[] = [];
    for (const spelling of spellings) {
      for (const id of this.typeNames.find(spelling)) {
        const rank = this.rank(id);
        if (rank !== undefined && (tag === undefined || this.tagOf(id) === tag)) result.push({ owner: this, id, rank });
      }
    }
    if (this.base !== null) result.push(...this.base.candidates(wanted));
    return result.sort((a, b) => a.rank - b.rank);
  }

  private get typeNames(): NameIndex {
    this.typeIndex ??= this.records.indexTypes();
    return this.typeIndex;
  }

  private get functionNames(): NameIndex {
    this.functionIndex ??= this.records.indexFunctions();
    return this.functionIndex;
  }

  private rank(id: number): number | undefined {
    const kind = this.records.kind(id);
    if (kind === kinds.enum && this.records.count(id) === 0) return rankOfEmptyEnum;
    // An INT narrower than its storage is an old-style bit field's, not the type that C knows by the name.
    if (kind === kinds.int && this.records.isPartialInt(id)) return rankOfEmptyEnum;
    return rankOfKind[kind];
  }

  private tagOf(id: number): 'struct' | 'union' | 'enum' | null {
    switch (this.records.kind(id)) {
      case kinds.struct:
        return 'struct';
      case kinds.union:
        return 'union';
      case kinds.enum:
      case kinds.enum64:
        return 'enum';
      case kinds.forward:
        return this.records.flag(id) ? 'union' : 'struct';
      default:
        return null;
    }
  }

  private tryType(id: number): Type | null {
    try {
      return this.typeById(id);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.records.problem ??= error;
      return null;
    }
  }
}

interface SectionEntry {
  /** Number of the DATASEC and of the VAR. */
  readonly section: number;
  readonly variable: number;
  readonly offset: number;
  readonly size: number;
}

interface VariableIndex {
  readonly entries: readonly SectionEntry[];
  /** Positions in `entries` by the names of their variables. */
  readonly names: NameIndex;
}

function indexVariables(records: BtfRecords): VariableIndex {
  const entries: SectionEntry[] = [];
  const names: number[] = [];
  for (const section of records.sections) {
    for (const { variable, offset, size } of records.sectionEntries(section)) {
      if (records.kind(variable) !== kinds.variable) continue;
      entries.push({ section, variable, offset, size });
      names.push(records.nameOffset(variable));
    }
  }
  return { entries, names: records.index(Uint32Array.from(entries.keys()), Uint32Array.from(names)) };
}
