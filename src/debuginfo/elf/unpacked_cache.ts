// Where unpacked debug information is kept between runs: $XDG_CACHE_HOME/inquest/debuginfo, or under ~/.cache. The
// least recently used files go when all together pass a limit ($INQUEST_CACHE_LIMIT, in MiB).
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../dump/byte_source.ts';

const defaultLimit = 8 * 1024; // MiB: a dozen kernels

/** The folder. It may not be there yet. */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'inquest', 'debuginfo');
}

/**
 * The path of a file in the cache, made if it is not there.
 * @param key stands for what it holds
 * @param from the path that it is made from: when that file changes, it is made again
 * @param fill gives the content, piece by piece; what it throws is thrown on, and nothing is kept
 */
export function cachedFile(key: string, from: string, fill: (emit: (bytes: Uint8Array) => void) => void): string {
  const { mtimeMs, size } = statSync(from);
  const name = createHash('sha256').update(`${key}\0${mtimeMs}\0${size}`).digest('hex').slice(0, 40);
  const folder = cacheFolder();
  const path = join(folder, name);
  try {
    utimesSync(path, new Date(), new Date());
    return path;
  } catch {
    // not there yet
  }
  const part = `${path}.${process.pid}`;
  let file: number;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    file = openSync(part, 'wx', 0o600);
  } catch (error) {
    throw new InputError(
      folder,
      `unpacked debug information cannot be kept here: ${error instanceof Error ? error.message : error}`,
    );
  }
  try {
    fill((bytes) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    });
    closeSync(file);
    renameSync(part, path);
  } catch (error) {
    try {
      closeSync(file);
    } catch {
      // closed already
    }
    rmSync(part, { force: true });
    throw error;
  }
  trimCache(path);
  return path;
}

/** What the cache holds, oldest first. Sizes in bytes. */
export function cacheContent(): { readonly path: string; readonly size: number; readonly used: number }[] {
  const folder = cacheFolder();
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const found: { path: string; size: number; used: number }[] = [];
  for (const name of names) {
    try {
      const { size, mtimeMs } = statSync(join(folder, name));
      found.push({ path: join(folder, name), size, used: mtimeMs });
    } catch {
      // another process took it away
    }
  }
  return found.sort((a, b) => a.used - b.used);
}

/** Takes everything out of the cache. @returns the bytes that it held */
export function clearCache(): number {
  const content = cacheContent();
  for (const { path } of content) rmSync(path, { force: true });
  return content.reduce((sum, { size }) => sum + size, 0);
}

/** Takes the least recently used files out until all together are within the limit. */
function trimCache(keep: string): void {
  const wanted = Number(process.env['INQUEST_CACHE_LIMIT'] ?? defaultLimit);
  const limit = (Number.isFinite(wanted) && wanted >= 0 ? wanted : defaultLimit) * 1024 * 1024;
  const content = cacheContent();
  let total = content.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of content) {
    if (total <= limit) break;
    if (path === keep) continue;
    rmSync(path, { force: true });
    total -= size;
  }
}
