// Kinds of files as crash(8) shortens them, in columns of four characters.
import type { FileKind } from '../../kernel/fs.ts';

export const fileTypes: Readonly<Record<FileKind, string>> = {
  fifo: 'FIFO',
  character: 'CHR ',
  directory: 'DIR ',
  block: 'BLK ',
  regular: 'REG ',
  link: 'LNK ',
  socket: 'SOCK',
  anonymous: 'UNKN',
};
