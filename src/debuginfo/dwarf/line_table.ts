// Which line of which source file code came from: the program of one unit in .debug_line, run (DWARF 5, section 6.2;
// version 4 differs in how it names files).
import { FormatError } from '../../base/errors.ts';
import type { LineTaken, SourceLine } from '../debug_info.ts';
import type { LinkAddress } from './address.ts';
import { attribute } from './constants.ts';
import { Cursor } from './cursor.ts';
import { type LineProgramHeader, readLineProgramHeader } from './line_program_header.ts';
import type { Unit } from './unit.ts';

/** Most rows of one unit; the largest files have some 100,000. */
const mostRows = 4_000_000;

/** The rows of one unit: code from `addresses[i]` up to the next row's. A row with line -1 ends a sequence. */
export class LineTable {
  readonly addresses: Float64Array;
  readonly lines: Int32Array;
  readonly columns: Uint16Array;
  readonly files: Uint32Array;
  /** 1 where a debugger should stop: the beginning of a statement. */
  readonly statements: Uint8Array;
  private readonly header: LineProgramHeader;
  private readonly folder: string;

  private constructor(header: LineProgramHeader, folder: string, rows: Rows) {
    this.header = header;
    this.folder = folder;
    const { order } = rows;
    this.addresses = Float64Array.from(order, (i) => rows.addresses[i]!);
    this.lines = Int32Array.from(order, (i) => rows.lines[i]!);
    this.columns = Uint16Array.from(order, (i) => rows.columns[i]!);
    this.files = Uint32Array.from(order, (i) => rows.files[i]!);
    this.statements = Uint8Array.from(order, (i) => rows.statements[i]!);
  }

  /** The table of a unit; null for one that has none. @throws FormatError */
  static of(unit: Unit): LineTable | null {
    // a .dwo file has the names of its files alone, in the one program that it has
    const offset = unit.root.number(attribute.stmtList) ?? (unit.file.skeleton === null ? null : 0);
    if (offset === null) return null;
    const header = readLineProgramHeader(unit, offset);
    return new LineTable(header, unit.folder, runProgram(header));
  }

  /** Position of the row that covers an address; -1 if none does. */
  rowAt(address: LinkAddress): number {
    let low = 0;
    let high = this.addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    // of several rows at one address the last is in force
    const row = low - 1;
    return row >= 0 && this.lines[row]! >= 0 ? row : -1;
  }

  /** The source of code at an address, or null. */
  at(address: LinkAddress, taken: LineTaken): SourceLine | null {
    const row = this.rowAt(address);
    return row < 0 ? null : this.place(taken === 'statement' ? this.statementAt(row) : row);
  }

  /** The last row at a row's address that begins a statement; the row itself where none does. */
  private statementAt(row: number): number {
    const { addresses, statements, lines } = this;
    for (let i = row; i >= 0 && addresses[i] === addresses[row] && lines[i]! >= 0; i--) {
      if (statements[i] === 1) return i;
    }
    return row;
  }

  place(row: number): SourceLine {
    return { ...this.path(this.files[row]!), line: this.lines[row]!, column: this.columns[row]! };
  }

  /** Path of a file by the number that line rows, DW_AT_decl_file and DW_AT_call_file have. */
  path(file: number): Pick<SourceLine, 'file' | 'folder'> {
    const path = this.header.path(file, this.folder);
    return { file: path, folder: path.startsWith(`${this.folder}/`) ? this.folder : '' };
  }
}

/** Rows while the program runs. Sequences come in any order, the rows of each by ascending address. */
interface Rows {
  readonly addresses: number[];
  readonly lines: number[];
  readonly columns: number[];
  readonly files: number[];
  readonly statements: number[];
  /** Positions by ascending address; rows of one address in the program's order, after an end of sequence there. */
  readonly order: Uint32Array;
}

function runProgram(header: LineProgramHeader): Rows {
  const {
    bytes,
    what,
    programAt,
    end,
    addressSize,
    minInstructionLength,
    lineBase,
    lineRange,
    opcodeBase,
    defaultStatement,
  } = header;
  const cursor = new Cursor(bytes, what, programAt);
  const addresses: number[] = [];
  const lines: number[] = [];
  const columns: number[] = [];
  const files: number[] = [];
  const statements: number[] = [];

  let address = 0;
  let line = 1;
  let column = 0;
  let file = 1;
  let statement = defaultStatement;
  const emit = (ends: boolean): void => {
    if (addresses.length >= mostRows) throw new FormatError(what, `more than ${mostRows} rows`);
    addresses.push(address);
    lines.push(ends ? -1 : line);
    columns.push(Math.min(column, 0xffff));
    files.push(file);
    statements.push(statement ? 1 : 0);
  };
  const advance = (operation: number): void => {
    address += operation * minInstructionLength;
  };

  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line += lineBase + (adjusted % lineRange);
      emit(false);
      continue;
    }
    switch (opcode) {
      case 0: {
        const length = cursor.uleb();
        const next = cursor.at + length;
        const extended = length === 0 ? 0 : cursor.u8();
        if (extended === 1) {
          emit(true); // DW_LNE_end_sequence
          address = 0;
          line = 1;
          column = 0;
          file = 1;
          statement = defaultStatement;
        } else if (extended === 2) address = cursor.address(length === 5 ? 4 : addressSize); // DW_LNE_set_address
        cursor.at = next;
        break;
      }
      case 1: // DW_LNS_copy
        emit(false);
        break;
      case 2: // advance_pc
        advance(cursor.uleb());
        break;
      case 3: // advance_line
        line += cursor.sleb();
        break;
      case 4: // set_file
        file = cursor.uleb();
        break;
      case 5: // set_column
        column = cursor.uleb();
        break;
      case 6: // negate_stmt
        statement = !statement;
        break;
      case 8: // const_add_pc
        advance(Math.floor((255 - opcodeBase) / lineRange));
        break;
      case 9: // fixed_advance_pc
        address += cursor.u16();
        break;
      default:
        // those without a meaning here (basic blocks, prologues, instruction sets), and unknown ones: operands skipped
        for (let i = 0; i < (header.operands[opcode] ?? 0); i++) cursor.skipLeb();
    }
    cursor.check();
  }
  const isEnd = (i: number): number => (lines[i] === -1 ? 0 : 1);
  const order = new Uint32Array(addresses.keys()).sort(
    (a, b) => addresses[a]! - addresses[b]! || isEnd(a) - isEnd(b) || a - b,
  );
  return { addresses, lines, columns, files, statements, order };
}
