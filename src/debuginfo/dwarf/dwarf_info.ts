// DWARF as debug information: names and types of one file, and what it knows of code.
import { FormatError } from '../../base/errors.ts';
import { baseTypeSpellings, isBaseTypeWord } from '../c_base_type.ts';
import { type Macro, parseMacro } from '../c_macro.ts';
import type { CodeInfo, DebugInfo } from '../debug_info.ts';
import type { FunctionType, Type, TypeSource } from '../type.ts';
import { DwarfCode } from './code_info.ts';
import type { Die } from './die.ts';
import type { DwarfFile } from './dwarf_file.ts';
import { type Complete, DwarfTypes } from './dwarf_types.ts';
import { MacroIndex } from './macros.ts';
import { NameIndex, type NameKind } from './name_index.ts';

const typeKinds: readonly NameKind[] = ['struct', 'union', 'enum', 'typedef', 'base'];
/** Text longer than this is in .debug_str; compilers write shorter text into the entries themselves. */
const shortName = 7;
/** Most problems of one file that are told. */
const mostFailures = 1000;

export class DwarfInfo implements DebugInfo {
  readonly origin: string;
  readonly types: TypeSource;
  readonly code: CodeInfo;
  readonly file: DwarfFile;
  private readonly built: DwarfTypes;
  private readonly dwarfCode: DwarfCode;
  private readonly definitions: { find(name: string): Type | null };
  private index: NameIndex | null = null;
  private macroIndex: MacroIndex | null = null;
  private readonly failures: FormatError[] = [];

  /**
   * @param origin names it in messages: `vmlinux`, `crashme.ko`
   * @param bias what is added to the file's addresses to get the dead kernel's
   * @param definitions what knows types besides: it is asked for the definition of a type that a unit only declares, and
   *   `types.all` gives only those that it does not know; `own`: definitions are then looked for among this file's own
   *   types, too, which takes an index of all of them
   */
  constructor(
    file: DwarfFile,
    origin: string,
    bias: bigint,
    definitions: { find(name: string): Type | null; readonly own: boolean } = { find: () => null, own: true },
  ) {
    this.file = file;
    this.origin = origin;
    this.definitions = definitions;
    const complete: Complete = ({ tag, name }) => {
      if (name === '') return null;
      const wanted = `${tag} ${name}`;
      const found = definitions.find(wanted) ?? (definitions.own ? this.find(wanted) : null);
      return found === null || found.kind === 'incomplete' ? null : found;
    };
    this.built = new DwarfTypes(complete);
    this.dwarfCode = new DwarfCode(file, this.built, bias);
    this.code = this.dwarfCode;
    this.types = { find: (name) => this.find(name), all: () => this.all() };
  }

  variable(name: string): Type | null {
    const die = this.first(name, ['variable']) ?? this.first(name, ['extern']);
    return die === null ? null : this.attempt(() => this.built.typeOf(die));
  }

  function(name: string): FunctionType | null {
    const die = this.first(name, ['function']) ?? this.first(name, ['prototype']);
    return die === null ? null : this.attempt(() => this.built.functionType(die));
  }

  macro(name: string): Macro | null {
    const text = this.attempt(() => this.macros.find(name));
    return text === null ? null : parseMacro(text);
  }

  /** What was damaged, and so is not known. */
  get problems(): readonly FormatError[] {
    const { problem } = this.file;
    return [
      ...(problem === null ? [] : [problem]),
      ...this.file.splitProblems,
      ...(this.index?.problems ?? []),
      ...(this.macroIndex?.problems ?? []),
      ...this.dwarfCode.problems,
      ...this.failures,
    ];
  }

  private find(name: string): Type | null {
    const wanted = name.trim().replace(/\s+/g, ' ');
    const [, tag, bare = ''] = /^(?:(struct|union|enum) )?(.*)$/.exec(wanted) ?? [];
    const kinds = tag === undefined ? typeKinds : typeKinds.filter((kind) => kind === tag);
    const spellings = tag === undefined && isBaseTypeWord(bare.split(' ')[0]!) ? baseTypeSpellings(bare) : [bare];
    for (const kind of kinds) {
      for (const spelling of spellings) {
        const die = this.first(spelling, [kind]);
        const type = die === null ? null : this.attempt(() => this.built.type(die));
        if (type !== null) return type;
      }
    }
    return null;
  }

  private *all(): Generator<Type> {
    const names = this.attempt(() => this.names);
    if (names === null) return;
    // what is known from elsewhere is told there
    const isNew = (kind: NameKind, name: string): boolean =>
      this.definitions.find(kind === 'typedef' || kind === 'base' ? name : `${kind} ${name}`) === null;
    for (const { die } of names.all(typeKinds, isNew)) {
      const type = this.attempt(() => this.built.type(die));
      if (type !== null) yield type;
    }
  }

  private first(name: string, kinds: readonly NameKind[]): Die | null {
    if (this.index === null && !this.mayHave(name)) return null;
    return this.attempt(() => this.names.find(name, kinds)[0] ?? null);
  }

  private get names(): NameIndex {
    this.index ??= new NameIndex(this.file);
    return this.index;
  }

  private get macros(): MacroIndex {
    this.macroIndex ??= new MacroIndex(this.file);
    return this.macroIndex;
  }

  /** False for a name that no entry can have: walkers ask for many that a kernel lacks, and the index takes a second. */
  private mayHave(name: string): boolean {
    if (name.length <= shortName || name.includes('::')) return true;
    const text = this.attempt(() => this.file.section('.debug_str'));
    if (text === null || this.file.alternate !== null || this.file.isSplit) return true;
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    const step = 1 << 20;
    for (let at = 0; at < text.size; at += step) {
      if (Buffer.from(text.readUpTo(at, step + wanted.length)).includes(wanted)) return true;
    }
    return false;
  }

  private attempt<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (this.failures.length < mostFailures) this.failures.push(error);
      return null;
    }
  }
}
