// Macros, where a kernel or module was compiled with them (-g3): .debug_macro (DWARF 5, section 6.3; GCC writes the same
// in DWARF 4) or .debug_macinfo (DWARF 4, section 6.3). One walk over all units' lists, when a macro is first asked for;
// of a name that is defined more than once, the first.
import { FormatError } from '../../base/errors.ts';
import type { SectionBytes } from '../elf/section_bytes.ts';
import { attribute } from './constants.ts';
import { Cursor } from './cursor.ts';
import type { DwarfFile } from './dwarf_file.ts';
import type { Unit } from './unit.ts';

const mostMacros = 4_000_000;
/** Largest section that is read, in bytes. */
const largestSection = 1 << 29;

export class MacroIndex {
  private readonly file: DwarfFile;
  /** By name: the definition, or where it is in .debug_str. */
  private readonly found = new Map<string, string | number>();
  private readonly visited = new Set<number>();
  readonly problems: FormatError[] = [];

  constructor(file: DwarfFile) {
    this.file = file;
    this.collect(() => {
      const lists = read(file, '.debug_macro');
      const old = read(file, '.debug_macinfo');
      if (lists === null && old === null) return;
      for (const unit of file.units) {
        if (unit.file !== file) continue;
        this.collect(() => {
          const at = unit.root.number(attribute.macros) ?? unit.root.number(attribute.gnuMacros);
          if (at !== null && lists !== null) this.addList(lists, at, unit);
          const oldAt = unit.root.number(attribute.macroInfo);
          if (oldAt !== null && old !== null) this.addOldList(old, oldAt);
        });
      }
    });
  }

  /** The definition of a name: `WIDGETS 42`; null where it has none. @throws FormatError */
  find(name: string): string | null {
    const text = this.found.get(name);
    return typeof text === 'number' ? this.file.string(text) : (text ?? null);
  }

  private addList(cursor: Cursor, start: number, unit: Unit): void {
    const waiting = [start];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (this.visited.has(at)) continue;
      this.visited.add(at);
      cursor.at = at;
      const version = cursor.u16();
      if (version !== 4 && version !== 5)
        throw new FormatError(this.file.what, `macros at 0x${at.toString(16)} are of version ${version}`);
      const flags = cursor.u8();
      const width = (flags & 1) === 0 ? 4 : 8;
      if ((flags & 2) !== 0) cursor.offset(width); // of the lines, for the numbers of files
      if ((flags & 4) !== 0) throw new FormatError(this.file.what, 'macros with operations of a vendor');
      this.addEntries(cursor, version, width, unit, waiting);
    }
  }

  private addEntries(cursor: Cursor, version: number, width: number, unit: Unit, waiting: number[]): void {
    for (;;) {
      const kind = cursor.u8();
      cursor.check();
      switch (kind) {
        case 0:
          return;
        case 1: // DW_MACRO_define
          cursor.skipLeb();
          this.add(cursor.text());
          break;
        case 2: // undef
          cursor.skipLeb();
          cursor.skipText();
          break;
        case 3: // start_file
          cursor.skipLeb();
          cursor.skipLeb();
          break;
        case 4: // end_file
          break;
        case 5: {
          // define_strp
          cursor.skipLeb();
          const at = cursor.offset(width);
          this.add(this.file.string(at), at);
          break;
        }
        case 6: // undef_strp
        case 9: // undef_sup
          cursor.skipLeb();
          cursor.offset(width);
          break;
        case 7: // import
          waiting.push(cursor.offset(width));
          break;
        case 8: {
          // define_sup
          cursor.skipLeb();
          const at = cursor.offset(width);
          if (this.file.alternate !== null) this.add(this.file.alternate.string(at));
          break;
        }
        case 10: // import_sup: lists of dwz's file are not followed
          cursor.offset(width);
          break;
        case 11: // define_strx
          cursor.skipLeb();
          this.add(this.file.indexedString(unit, cursor.uleb()));
          break;
        case 12: // undef_strx
          cursor.skipLeb();
          cursor.skipLeb();
          break;
        default:
          throw new FormatError(this.file.what, `macro entry of kind ${kind} in version ${version}`);
      }
      cursor.check();
    }
  }

  private addOldList(cursor: Cursor, start: number): void {
    if (this.visited.has(start)) return;
    this.visited.add(start);
    cursor.at = start;
    for (;;) {
      const kind = cursor.u8();
      cursor.check();
      if (kind === 0) return;
      if (kind === 4) continue; // DW_MACINFO_end_file
      cursor.skipLeb();
      if (kind === 1) this.add(cursor.text());
      else if (kind === 2 || kind === 255) cursor.skipText();
      else if (kind === 3) cursor.skipLeb();
      else throw new FormatError(this.file.what, `macro entry of kind ${kind}`);
      cursor.check();
    }
  }

  private add(text: string, at?: number): void {
    const name = /^[A-Za-z_$][\w$]*/.exec(text)?.[0];
    if (name === undefined || this.found.has(name)) return;
    if (this.found.size >= mostMacros) throw new FormatError(this.file.what, `more than ${mostMacros} macros`);
    this.found.set(name, at ?? text);
  }

  private collect(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (this.problems.length < 100) this.problems.push(error);
    }
  }
}

function read(file: DwarfFile, name: string): Cursor | null {
  const section: SectionBytes | null = file.section(name);
  if (section === null) return null;
  if (section.size > largestSection) throw new FormatError(section.what, `is larger than any: ${section.size} bytes`);
  return new Cursor(section.read(0, section.size), section.what);
}
