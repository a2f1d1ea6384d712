// The GNU build-id, by which a debug file and what it describes are known to belong together: a note of type 3 and
// name "GNU" (ld's --build-id). vmlinux has it in .notes, modules in .note.gnu.build-id.
import { latin1 } from '../../base/byte_reader.ts';
import { type ElfSection, sectionTypes } from './elf_section.ts';
import type { SectionBytes } from './section_bytes.ts';

const headerSize = 12;
const ntGnuBuildId = 3;
/** Largest section of notes looked at, in bytes. */
const maxNotes = 1 << 20;

/** The build-id in hexadecimal; null where there is none that can be read. */
export function buildIdOf(
  sections: readonly ElfSection[],
  contentOf: (section: ElfSection) => SectionBytes,
): string | null {
  for (const section of sections) {
    if (section.type !== sectionTypes.notes || section.fileSize > maxNotes) continue;
    const content = contentOf(section);
    const found = buildIdInNotes(content.read(0, content.size));
    if (found !== null) return found;
  }
  return null;
}

/** The build-id among notes as they lie in a file or in memory, in hexadecimal; null if it is not there. */
export function buildIdInNotes(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + headerSize <= bytes.length; ) {
    const nameSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    const content = at + headerSize + Math.ceil(nameSize / 4) * 4;
    if (content + size > bytes.length) return null;
    if (type === ntGnuBuildId && nameSize === 4 && latin1(bytes, at + headerSize, at + headerSize + 4) === 'GNU') {
      return size === 0 ? null : Buffer.from(bytes.subarray(content, content + size)).toString('hex');
    }
    at = content + Math.ceil(size / 4) * 4;
  }
  return null;
}
