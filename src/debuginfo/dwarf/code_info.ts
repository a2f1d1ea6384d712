// What DWARF knows of code, by the dead kernel's addresses: lines, inlined functions, variables, rules of unwinding.
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { FormatError } from '../../base/errors.ts';
import type { CodeInfo, InlinedFunction, LineTaken, Local, SourceLine, UnwindRule } from '../debug_info.ts';
import { sectionFlags } from '../elf/elf_section.ts';
import { type LinkAddress, linkAddress, linkToVirtual } from './address.ts';
import { CodeIndex } from './code_index.ts';
import { attribute, tag } from './constants.ts';
import type { Die } from './die.ts';
import type { DwarfFile } from './dwarf_file.ts';
import type { DwarfTypes } from './dwarf_types.ts';
import { frameRow } from './frame_rules.ts';
import { FrameTable } from './frame_table.ts';
import { scopesAt, UnitFunctions } from './functions.ts';
import { LineTable } from './line_table.ts';
import { type LocalContext, localOf } from './locals.ts';
import { dwarfRegisters } from './registers.ts';
import type { Unit } from './unit.ts';
import { unwindRule } from './unwind_rule.ts';

/** Units whose functions and lines are kept at hand. */
const keptUnits = 64;
/** Most variables of one place. */
const mostLocals = 10_000;
/** Most problems that are told. */
const mostProblems = 1000;

interface UnitCode {
  readonly lines: LineTable | null;
  readonly functions: UnitFunctions;
}

export class DwarfCode implements CodeInfo {
  /** What was damaged and so is not known. */
  readonly problems: FormatError[] = [];
  private readonly file: DwarfFile;
  private readonly types: DwarfTypes;
  /** The dead kernel's addresses are those of the file plus this. */
  private readonly bias: bigint;
  private index: CodeIndex | null = null;
  private readonly units = new Map<Unit, UnitCode>();
  private tables: FrameTable[] | null = null;

  constructor(file: DwarfFile, types: DwarfTypes, bias: bigint) {
    this.file = file;
    this.types = types;
    this.bias = bias;
  }

  line(at: VirtAddr, taken: LineTaken = 'last'): SourceLine | null {
    return this.known(null, () => this.unitAt(this.link(at))?.code.lines?.at(this.link(at), taken) ?? null);
  }

  inlines(at: VirtAddr): readonly InlinedFunction[] {
    return this.known([], () => {
      const scopes = this.scopes(at);
      const inlined = scopes.filter((scope) => scope.tag === tag.inlinedSubroutine).reverse();
      return inlined.map((scope) => ({
        name: scope.name,
        declaredAt: this.declaration(scope),
        calledAt: this.source(scope, attribute.callFile, attribute.callLine, attribute.callColumn),
      }));
    });
  }

  locals(at: VirtAddr): readonly Local[] {
    return this.known([], () => {
      const scopes = this.scopes(at);
      const subprogram = scopes[0];
      if (subprogram === undefined) return [];
      const context = this.localContext(subprogram, at);
      const locals: Local[] = [];
      let inline = 0;
      for (const scope of scopes.reverse()) {
        for (const child of scope.children()) {
          if (child.tag !== tag.formalParameter && child.tag !== tag.variable) continue;
          if (child.flag(attribute.declaration)) continue;
          if (locals.length >= mostLocals)
            throw new FormatError(this.file.what, `over ${mostLocals} variables in scope`);
          locals.push(localOf(child, inline, context, this.declaration(child)));
        }
        if (scope.tag === tag.inlinedSubroutine) inline++;
      }
      return locals;
    });
  }

  unwindRule(at: VirtAddr): UnwindRule | null {
    return this.known(null, () => {
      const address = this.link(at);
      const registers = dwarfRegisters(this.file.elf.machine);
      if (registers === null) return null;
      for (const table of this.frameTables()) {
        const frame = table.at(address);
        if (frame === null) continue;
        const row = frameRow(frame, address, this.file.elf.path);
        const { returnAddress, signalFrame, addressSize } = frame.common;
        return unwindRule(row, this.virtual(row.start), this.virtual(row.end), {
          registers,
          returnAddress,
          signalFrame,
          addressSize,
          relocate: (linked) => virtAddr(linked + this.bias),
        });
      }
      return null;
    });
  }

  /** The entry of the function whose code is at an address; null where there is none. */
  function(at: VirtAddr): Die | null {
    return this.known(null, () => this.scopes(at)[0] ?? null);
  }

  private localContext(subprogram: Die, at: VirtAddr): LocalContext {
    return {
      file: this.file,
      subprogram,
      address: this.link(at),
      typeOf: (die) => this.types.typeOf(die),
      relocate: (linked) => virtAddr(linked + this.bias),
      callers: (address) => {
        const scopes = this.scopes(virtAddr(address - 1n));
        return scopes[0] === undefined
          ? null
          : { ...this.localContext(scopes[0], address), address: this.link(address) };
      },
    };
  }

  /** The function at an address, and the blocks and inlined functions around the address, outermost first. */
  private scopes(at: VirtAddr): Die[] {
    const address = this.link(at);
    const subprogram = this.unitAt(address)?.code.functions.at(address) ?? null;
    return subprogram === null ? [] : scopesAt(subprogram, address);
  }

  private unitAt(address: LinkAddress): { unit: Unit; code: UnitCode } | null {
    this.index ??= new CodeIndex(this.file);
    const unit = this.index.unitAt(address);
    if (unit === null) return null;
    return { unit, code: this.codeOf(unit) };
  }

  private codeOf(unit: Unit): UnitCode {
    const { file } = this;
    let code = this.units.get(unit);
    if (code === undefined) {
      let lines: { readonly table: LineTable | null } | null = null;
      let functions: UnitFunctions | null = null;
      code = {
        get lines() {
          lines ??= { table: LineTable.of(unit) };
          return lines.table;
        },
        get functions() {
          functions ??= new UnitFunctions(file.whole(unit));
          return functions;
        },
      };
      if (this.units.size >= keptUnits) this.units.delete(this.units.keys().next().value!);
      this.units.set(unit, code);
    }
    return code;
  }

  private declaration(die: Die): SourceLine | null {
    const declared = die.withAttribute(attribute.declLine);
    return declared === null ? null : this.source(declared, attribute.declFile, attribute.declLine, null);
  }

  /** A place in the source that attributes name. */
  private source(die: Die, file: number, line: number, column: number | null): SourceLine | null {
    const fileNumber = die.number(file);
    const lineNumber = die.number(line);
    if (fileNumber === null || lineNumber === null) return null;
    const unit = this.file.unitAt(die.offset);
    if (unit === null || die.unit.file !== unit.file) return null;
    const path = this.codeOf(unit).lines?.path(fileNumber) ?? { file: '??', folder: '' };
    return { ...path, line: lineNumber, column: column === null ? 0 : (die.number(column) ?? 0) };
  }

  private frameTables(): FrameTable[] {
    if (this.tables === null) {
      this.tables = [];
      const frame = this.file.section('.debug_frame');
      if (frame !== null) this.tables.push(new FrameTable(frame, false, 0, 8));
      const eh = this.file.elf.section('.eh_frame');
      const content = eh !== null && (eh.flags & sectionFlags.alloc) !== 0 ? this.file.section('.eh_frame') : null;
      if (eh !== null && content !== null) {
        const place = this.file.addressOf(eh.index) ?? eh.address;
        this.tables.push(new FrameTable(content, true, linkAddress(place), 8));
      }
      for (const { problem } of this.tables) if (problem !== null) this.problems.push(problem);
    }
    return this.tables;
  }

  private link(at: VirtAddr): LinkAddress {
    return linkAddress(at - this.bias);
  }

  private virtual(at: LinkAddress): VirtAddr {
    return virtAddr(linkToVirtual(at) + this.bias);
  }

  private known<T>(fallback: T, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (this.problems.length < mostProblems) this.problems.push(error);
      return fallback;
    }
  }
}
