// The header of a unit's line program: how its opcodes count, and the source files by number.
//
//   DWARF 4: folders 1.. and files 1.., each as text; folder 0 is the one that the compiler ran in
//   DWARF 5: folders 0.. and files 0.., in a form that the header describes; file 0 is the unit's own
import { FormatError } from '../../base/errors.ts';
import { form } from './constants.ts';
import { Cursor } from './cursor.ts';
import type { Unit } from './unit.ts';

/** Most files and folders of one unit. */
const mostFiles = 1_000_000;
/** Largest program, in bytes. */
const largestProgram = 1 << 28;

const contentType = { path: 1, folder: 2 } as const;

interface SourceFile {
  readonly name: string;
  readonly folder: number;
}

export class LineProgramHeader {
  readonly bytes: Uint8Array;
  readonly what: string;
  /** Where the program begins and ends, in `bytes`. */
  readonly programAt: number;
  readonly end: number;
  readonly addressSize: number;
  readonly minInstructionLength: number;
  readonly defaultStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of each standard opcode. */
  readonly operands: readonly number[];
  private readonly version: number;
  private readonly folders: readonly string[];
  private readonly files: readonly SourceFile[];

  constructor(
    fields: Omit<LineProgramHeader, 'path'> & {
      version: number;
      folders: readonly string[];
      files: readonly SourceFile[];
    },
  ) {
    this.bytes = fields.bytes;
    this.what = fields.what;
    this.programAt = fields.programAt;
    this.end = fields.end;
    this.addressSize = fields.addressSize;
    this.minInstructionLength = fields.minInstructionLength;
    this.defaultStatement = fields.defaultStatement;
    this.lineBase = fields.lineBase;
    this.lineRange = fields.lineRange;
    this.opcodeBase = fields.opcodeBase;
    this.operands = fields.operands;
    this.version = fields.version;
    this.folders = fields.folders;
    this.files = fields.files;
  }

  /**
   * Path of a file by its number; `??` for a number that no file has.
   * @param unitFolder the folder that the compiler ran in
   */
  path(file: number, unitFolder: string): string {
    const found = this.files[this.version >= 5 ? file : file - 1];
    if (found === undefined) return '??';
    if (found.name.startsWith('/')) return found.name;
    const folder =
      this.version >= 5 ? this.folders[found.folder] : found.folder === 0 ? '' : this.folders[found.folder - 1];
    return join(unitFolder, folder ?? '', found.name);
  }
}

/** A path from its parts, of which one that begins with `/` makes those before it void; folder 0 of DWARF 5 is the unit's. */
function join(unitFolder: string, folder: string, name: string): string {
  if (folder.startsWith('/')) return `${folder}/${name}`;
  const inside = folder === '' || folder === unitFolder ? name : `${folder}/${name}`;
  return unitFolder === '' ? inside : `${unitFolder}/${inside}`;
}

/** @throws FormatError */
export function readLineProgramHeader(unit: Unit, offset: number): LineProgramHeader {
  const section = unit.file.needSection('.debug_line');
  const { what } = section;
  const place = `the line program at 0x${offset.toString(16)}`;
  const start = new Cursor(section.readOnce(offset, 12), what);
  const { length, width } = start.initialLength();
  start.check();
  const total = start.at + length;
  if (total > largestProgram || offset + total > section.size)
    throw new FormatError(what, `${place} has 0x${total.toString(16)} bytes`);
  const bytes = section.read(offset, total);
  const cursor = new Cursor(bytes, what, start.at);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new FormatError(what, `${place} is of version ${version}`);
  const addressSize = version >= 5 ? cursor.u8() : unit.addressSize;
  if (version >= 5) cursor.u8(); // size of segment selectors
  const headerLength = cursor.offset(width);
  const programAt = cursor.at + headerLength;
  const minInstructionLength = cursor.u8();
  if (version >= 4) cursor.u8(); // operations per instruction: 1, but on machines of very long instruction words
  const defaultStatement = cursor.u8() !== 0;
  const lineBase = cursor.i8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0) throw new FormatError(what, `${place} has a line range of ${lineRange}`);
  const operands = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode++) operands.push(cursor.u8());
  const { folders, files } = version >= 5 ? newFiles(cursor, unit, width) : oldFiles(cursor);
  cursor.check();
  if (programAt > total) throw new FormatError(what, `${place} is cut inside its header`);
  return new LineProgramHeader({
    bytes,
    what,
    programAt,
    end: total,
    addressSize,
    minInstructionLength,
    defaultStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operands,
    version,
    folders,
    files,
  });
}

function oldFiles(cursor: Cursor): { folders: string[]; files: SourceFile[] } {
  const folders: string[] = [];
  for (let name = cursor.text(); name !== ''; name = cursor.text()) folders.push(name);
  const files: SourceFile[] = [];
  for (let name = cursor.text(); name !== ''; name = cursor.text()) {
    files.push({ name, folder: cursor.uleb() });
    cursor.skipLeb(); // time
    cursor.skipLeb(); // length
  }
  return { folders, files };
}

function newFiles(cursor: Cursor, unit: Unit, width: number): { folders: string[]; files: SourceFile[] } {
  return { folders: entries(cursor, unit, width).map(({ name }) => name), files: entries(cursor, unit, width) };
}

/** A list of entries with the description that stands before it (DWARF 5, section 6.2.4.1). */
function entries(cursor: Cursor, unit: Unit, width: number): SourceFile[] {
  const formats: { type: number; of: number }[] = [];
  const formatCount = cursor.u8();
  for (let i = 0; i < formatCount; i++) formats.push({ type: cursor.uleb(), of: cursor.uleb() });
  const count = cursor.uleb();
  if (count > mostFiles) throw new FormatError(unit.file.what, `a line program with ${count} files`);
  const list: SourceFile[] = [];
  if (formats.length === 0) return list;
  for (let i = 0; i < count; i++) {
    let name = '';
    let folder = 0;
    for (const { type, of } of formats) {
      if (type === contentType.path) name = text(cursor, unit, of, width);
      else if (type === contentType.folder) folder = small(cursor, unit, of);
      else cursor.skip(of, { ...widths(unit), offsetSize: width });
    }
    cursor.check();
    list.push({ name, folder });
  }
  return list;
}

function widths({ version, addressSize, offsetSize }: Unit): {
  version: number;
  addressSize: number;
  offsetSize: number;
} {
  return { version, addressSize, offsetSize };
}

function text(cursor: Cursor, unit: Unit, of: number, width: number): string {
  switch (of) {
    case form.string:
      return cursor.text();
    case form.lineStrp:
      return unit.file.lineString(cursor.offset(width));
    case form.strp:
      return unit.file.string(cursor.offset(width));
    case form.strpSup:
      return unit.file.needAlternate().string(cursor.offset(width));
    default:
      throw new FormatError(unit.file.what, `a file name of form 0x${of.toString(16)}`);
  }
}

function small(cursor: Cursor, unit: Unit, of: number): number {
  switch (of) {
    case form.udata:
      return cursor.uleb();
    case form.data1:
      return cursor.u8();
    case form.data2:
      return cursor.u16();
    default:
      throw new FormatError(unit.file.what, `a folder's number of form 0x${of.toString(16)}`);
  }
}
