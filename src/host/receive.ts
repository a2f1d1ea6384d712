// The other end of a target over SSH: what a key that may only write is allowed. sshd(8) runs it in place of whatever the key's
// owner asks for, and that is in SSH_ORIGINAL_COMMAND:
//
//   restrict,command="inquest kdump receive /dumps" ssh-ed25519 AAAA... the machine
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';

/** One of the commands that `ssh_target.ts` sends. */
type Request =
  | { readonly kind: 'folder'; readonly path: string }
  /** Standard input into a file; `isWhole`: that is all of it. */
  | { readonly kind: 'write'; readonly path: string; readonly isWhole: boolean }
  | { readonly kind: 'name'; readonly path: string };

/** Null for anything else. */
function readRequest(command: string): Request | null {
  const folder = /^mkdir -p '([^']+)'$/.exec(command);
  if (folder !== null) return { kind: 'folder', path: folder[1]! };
  const write = /^cat > '([^']+)\.incomplete'( && mv '\1\.incomplete' '\1')?$/.exec(command);
  if (write !== null) return { kind: 'write', path: write[1]!, isWhole: write[2] !== undefined };
  const name = /^mv '([^']+)\.incomplete' '\1'$/.exec(command);
  return name === null ? null : { kind: 'name', path: name[1]! };
}

/**
 * Does what a capture kernel asks for: a folder for one crash, and files in it. Nothing is read, overwritten or deleted, and
 * nothing is written elsewhere.
 * @param into the folder of all crashes
 * @param input file descriptor of what is to be written
 * @throws UsageError for anything else; errors of the system
 */
export function receive(into: string, command: string, input: number): void {
  const request = readRequest(command);
  if (request === null) throw new UsageError('this key may write crashes, and nothing else');
  const root = realpathSync(into);
  const isFolder = request.kind === 'folder';
  const [crash = '', file, ...more] = request.path.startsWith(`${into}/`)
    ? request.path.slice(into.length + 1).split('/')
    : [];
  const isName = (name: string): boolean => /^\w[\w.:-]{0,199}$/.test(name);
  if (!isName(crash) || more.length > 0 || isFolder !== (file === undefined) || (file !== undefined && !isName(file)))
    throw new UsageError(`this key may write ${into}/CRASH/FILE, and nothing else`);
  const folder = join(root, crash);
  if (isFolder) {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    return;
  }
  const path = join(folder, file!);
  // a link that somebody made there leads nowhere
  if (realpathSync(dirname(path)) !== folder) throw new UsageError(`${request.path} leads elsewhere`);
  if (existsSync(path)) throw new UsageError(`${request.path} is there`);
  if (request.kind === 'write') writeAll(`${path}.incomplete`, input);
  if (request.kind === 'name' || request.isWhole) renameSync(`${path}.incomplete`, path);
}

function writeAll(path: string, input: number): void {
  const to = openSync(path, 'w', 0o640);
  try {
    const piece = Buffer.alloc(1 << 20);
    for (let n = readSync(input, piece); n > 0; n = readSync(input, piece))
      for (let done = 0; done < n; ) done += writeSync(to, piece, done, n - done);
    fsyncSync(to);
  } finally {
    closeSync(to);
  }
}
