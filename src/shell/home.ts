import { homedir } from 'node:os';

/** A path as typed: `~/` is the home directory. */
export function expandHome(path: string): string {
  return path.startsWith('~/') ? homedir() + path.slice(1) : path;
}
