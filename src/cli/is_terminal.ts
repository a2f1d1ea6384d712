// Whether somebody looks at what is written. Asking process.stdout would load Node's streams, which most runs do without.
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

/** True if a file descriptor is a terminal; false for a closed one. */
export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    return fstatSync(fd).isCharacterDevice() && isatty(fd);
  } catch {
    return false; // closed
  }
}
