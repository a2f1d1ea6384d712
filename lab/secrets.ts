// What `save --redact` leaves of keys that are known: of a run of the scenario `secrets`, whose guest planted them
// (guest/secrets.c). Each must be found by `audit` before, and be in no page after.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pfn } from '../src/base/address.ts';
import { openDump } from '../src/dump/open.ts';
import { projectFolder } from './place.ts';
import { lastLines } from './programs.ts';

/** A key as guest/secrets.c makes it. */
function key(size: number, base: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, n) => ((37 * n + base) ^ 0x5a) & 0xff));
}

/** Curve25519 wants some bits of a private key so; WireGuard sets them when it takes the key. */
function clamped(bytes: Buffer): Buffer {
  bytes[0]! &= 248;
  bytes[31] = (bytes[31]! & 127) | 64;
  return bytes;
}

/** What was planted, and audit's name of it. */
const planted: readonly (readonly [what: string, kind: string, bytes: Buffer])[] = [
  ['key of the disk', 'disk key', key(64, 0x11)],
  ['private key of the tunnel', 'WireGuard key', clamped(key(32, 0x22))],
  ['preshared key of the tunnel', 'WireGuard key', key(32, 0x33)],
  ['key for sending', 'TLS key', key(16, 0x44)],
  ['key for receiving', 'TLS key', key(16, 0x55)],
  ['key in the keyring', 'key', key(24, 0x66)],
  ['argument', 'arguments', Buffer.from('an-argument-that-is-secret')],
  ['variable', 'environment', Buffer.from('a-word-in-the-environment')],
];

/** Bytes of a key that must not be found together: what is left of one in memory given to others may be less. */
const least = 16;

/** @returns what was found, a line each, and what is wrong */
export function checkSecrets(
  dump: string,
  program = join(projectFolder, 'src/cli/main.ts'),
): { readonly lines: readonly string[]; readonly wrong: readonly string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'lab-secrets-'));
  const redacted = join(folder, 'redacted');
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [program, ...words], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const wrong: string[] = [];
  try {
    const { stdout, stderr } = run('audit', '--json', dump);
    if (stdout === '') throw new Error(`audit: ${lastLines(stderr, 3)}`);
    const { secrets } = JSON.parse(stdout) as { secrets: readonly { kind: string; known: number; readable: number }[] };
    const saved = run('save', '--redact', dump, redacted);
    if (saved.status !== 0) throw new Error(`save: ${lastLines(saved.stderr, 3)}`);
    const [before, after] = [copiesIn(dump), copiesIn(redacted)];
    const lines = planted.map(([what, kind], i) => {
      const found = secrets.find((one) => one.kind === kind);
      if (before[i] === 0) wrong.push(`${what}: was not planted`);
      if (before[i]! > 0 && (found?.readable ?? 0) === 0) wrong.push(`${what}: audit finds no ${kind}`);
      if (after[i]! > 0) wrong.push(`${what}: ${after[i]} pages have it after`);
      return `${what}: in ${before[i]} pages, ${after[i]} after; audit finds ${found?.readable ?? 0} of kind ${kind}`;
    });
    return { lines, wrong };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many pages of a dump have a piece of each secret. */
function copiesIn(dump: string): number[] {
  const { memory, close } = openDump([dump]);
  const counts = planted.map(() => 0);
  memory.scan(
    pfn(0),
    pfn(memory.maxPfn),
    (_, pages) => {
      for (let at = 0; at < pages.length; at += memory.pageSize) {
        const page = Buffer.from(pages.buffer, pages.byteOffset + at, memory.pageSize);
        for (const [i, [, , bytes]] of planted.entries()) if (hasPiece(page, bytes)) counts[i]!++;
      }
      return true;
    },
    () => undefined,
  );
  close();
  return counts;
}

function hasPiece(page: Buffer, bytes: Buffer): boolean {
  // pieces of words are words of other texts
  if (/^[ -~]*$/.test(bytes.toString('latin1'))) return page.includes(bytes);
  for (let at = 0; at + least <= bytes.length; at += least)
    if (page.includes(bytes.subarray(at, at + least))) return true;
  return false;
}
