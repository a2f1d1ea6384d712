// The files of a machine: this one's, or those below a folder (an image, a container, a sosreport).
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '../base/errors.ts';

/** Most bytes of a file that are read, unless told otherwise: configuration and what /proc and /sys say. */
const usualSize = 4 << 20;
/** Symbolic links that are followed on the way to one file, as the kernel does (include/linux/namei.h, MAXSYMLINKS). */
const maxLinks = 40;

export class HostRoot {
  readonly dir: string;
  /** It is the running machine, whose free space and devices can be asked for. */
  readonly isLive: boolean;

  /** @param dir a folder that holds `etc`, `proc`, ...; `/` for this machine */
  constructor(dir = '/') {
    this.dir = realpathSync(dir);
    this.isLive = this.dir === '/';
  }

  /**
   * Where a path of that machine is for us; null if there is nothing. Symbolic links are followed as that machine would:
   * an absolute one starts at its root, and nothing leads out of it.
   */
  place(path: string): string | null {
    let links = 0;
    const left = path.split('/').filter((part) => part !== '' && part !== '.');
    const at: string[] = [];
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if (part === '..') {
        at.pop();
        continue;
      }
      const here = join(this.dir, ...at, part);
      const target = linkOf(here);
      if (target === undefined) return null;
      if (target === null) {
        at.push(part);
        continue;
      }
      if (++links > maxLinks) return null;
      if (target.startsWith('/')) at.length = 0;
      left.unshift(...target.split('/').filter((word) => word !== '' && word !== '.'));
    }
    return join(this.dir, ...at);
  }

  /**
   * Where a path would be made: folders above it that are there are followed as by `place`, so that nothing is written
   * outside.
   * @throws FormatError where a symbolic link on the way leads to nothing
   */
  placeToWrite(path: string): string {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
    for (let known = parts.length - 1; known > 0; known--) {
      const above = this.place(parts.slice(0, known).join('/'));
      if (above !== null) return this.#below(above, parts.slice(known), path);
    }
    return this.#below(this.dir, parts, path);
  }

  /** A path that is not there yet: what a link in its place would lead to is not this machine's to say. */
  #below(above: string, parts: readonly string[], path: string): string {
    if (parts.length > 1 && linkOf(join(above, parts[0]!)) != null)
      throw new FormatError(path, 'a symbolic link on the way leads to nothing');
    return join(above, ...parts);
  }

  /** The path on that machine to which symbolic links lead; null if there is nothing. */
  canonical(path: string): string | null {
    const place = this.place(path);
    if (place === null) return null;
    return this.isLive ? place : place.slice(this.dir.length) || '/';
  }

  exists(path: string): boolean {
    return this.place(path) !== null;
  }

  /** The first bytes of a file; null if it is not there or cannot be read. */
  bytes(path: string, most = usualSize): Buffer | null {
    const place = this.place(path);
    if (place === null) return null;
    let fd: number | null = null;
    try {
      if (!lstatSync(place).isFile()) return null; // reading a FIFO or a device of an image would wait, or worse
      fd = openSync(place, 'r');
      return readUpTo(fd, most);
    } catch {
      return null;
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }

  text(path: string): string | null {
    return this.bytes(path)?.toString('utf8') ?? null;
  }

  /** The text without white space around it: what files of /proc and /sys hold. */
  word(path: string): string | null {
    return this.text(path)?.trim() ?? null;
  }

  /** Names in a folder, sorted; none if it is not there. */
  list(path: string): readonly string[] {
    const place = this.place(path);
    try {
      return place === null ? [] : readdirSync(place).sort();
    } catch {
      return [];
    }
  }

  /** What a symbolic link says; null if it is none. */
  link(path: string): string | null {
    const cut = path.lastIndexOf('/');
    const above = this.place(path.slice(0, Math.max(cut, 0)));
    return above === null ? null : (linkOf(join(above, path.slice(cut + 1))) ?? null);
  }

  /** Bytes of a file; null if it is not there. */
  size(path: string): number | null {
    const place = this.place(path);
    return place === null ? null : lstatSync(place).size;
  }

  /** When a file was last changed, in ms since 1970; null if it is not there. */
  changed(path: string): number | null {
    const place = this.place(path);
    return place === null ? null : lstatSync(place).mtimeMs;
  }

  /** Bytes that are free on the file system that holds a path; null where it is not this machine. */
  freeSpace(path: string): number | null {
    if (!this.isLive) return null;
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
      const place = this.place(at);
      if (place !== null) {
        const { bavail, bsize } = statfsSync(place);
        return bavail * bsize;
      }
      if (at === '/') return null;
    }
  }
}

/** What a symbolic link says; null for anything else, undefined for nothing. */
function linkOf(path: string): string | null | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return undefined;
  }
}

/** Files of /proc do not tell their size: they are read to their end. */
function readUpTo(fd: number, most: number): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  while (total < most) {
    const piece = Buffer.alloc(Math.min(1 << 18, most - total));
    const n = readSync(fd, piece, 0, piece.length, null);
    if (n === 0) break;
    pieces.push(piece.subarray(0, n));
    total += n;
  }
  return Buffer.concat(pieces);
}
