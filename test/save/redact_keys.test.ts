// Keys of encrypted disks and of TLS connections: an audit finds them, and after --redact no page has any of them, wherever
// the kernel or a driver left a copy.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pfn } from '../../src/base/address.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { openDump } from '../../src/dump/open.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import type { SecretKind } from '../../src/kernel/secrets/secret.ts';
import { aesRoundKeys } from '../../src/save/aes.ts';
import { auditDump } from '../../src/save/audit.ts';
import { ErasureBuilder } from '../../src/save/erasure.ts';
import { redact } from '../../src/save/redact.ts';
import { saveFiles } from '../../src/save/save_files.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';
import { type KeptSecrets, secretKeeper } from '../support/secret_keeper.ts';
import { writeSyntheticDump } from '../support/synthetic_dump.ts';

/** Bytes that nothing else has. */
function random(name: string, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, i) =>
    createHash('sha512').update(`${name} ${i}`).digest(),
  );
  return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
}

const secrets: KeptSecrets = {
  disk: random('disk', 64),
  sent: random('sent', 32),
  received: random('received', 32),
  contexts: {
    disk: random('disk cipher', 200),
    sent: random('sent cipher', 120),
    received: random('received cipher', 256),
  },
};
const halves = [secrets.disk.subarray(0, 32), secrets.disk.subarray(32)];
const kept: Readonly<Record<string, Uint8Array>> = {
  'the disk key': secrets.disk,
  'half of the disk key': halves[1]!,
  'the key of what is sent': secrets.sent,
  'the key of what is received': secrets.received,
  "the disk cipher's context": secrets.contexts.disk,
  'the context of what is sent': secrets.contexts.sent,
  'the context of what is received': secrets.contexts.received,
};
/** Copies in memory that no type tells of: of a freed request, an expanded key on a stack. */
const strays: Readonly<Record<string, Uint8Array>> = {
  'a copy of the disk key': secrets.disk,
  'a copy of half of it': halves[0]!,
  'a copy of a TLS key': secrets.received,
  'round keys of a TLS key': aesRoundKeys(secrets.sent).at(-2)!,
  'round keys of half of the disk key': aesRoundKeys(halves[1]!)[5]!,
};

/** A dump of a kernel that keeps them, with copies strewn over pages of nobody. */
function keeperDump(t: TestContext): Kernel {
  const kernel = secretKeeper(secrets);
  const page = Buffer.alloc(4096);
  for (const [i, copy] of Object.values(strays).entries()) page.set(copy, 40 + 401 * i);
  page.set(Buffer.from('what is no secret stays'), 3000);
  const pages = new Map([[0x9000, new Uint8Array(page)]]);
  return openKernel(openBytes(t, writeSyntheticDump(kernel, { log: ['Linux version 6.12.0-synthetic'], pages })));
}

function redacted(t: TestContext, kernel: Kernel, format: 'kdump' | 'elf'): Dump {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-redact-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const target = join(folder, 'vmcore');
  saveFiles(kernel, {
    ...{ format, compression: format === 'elf' ? 'none' : 'zlib', levels: [0], targets: [target], threads: 1 },
    ...{ flattened: false, overwrite: false },
    erase: (of, frames) => {
      const erased = new ErasureBuilder();
      redact(of, frames, erased);
      return erased.done();
    },
  });
  const dump = openDump([target]);
  t.after(() => dump.close());
  return dump;
}

/** All that a dump holds. */
function contents({ memory }: Dump): Buffer {
  const pages: Uint8Array[] = [];
  for (const { first, count } of memory.presentRuns(pfn(0), pfn(memory.maxPfn))) {
    for (let frame: number = first; frame < first + count; frame++) pages.push(memory.page(pfn(frame)).slice());
  }
  return Buffer.concat(pages);
}

function readableKeys(kernel: Kernel): Partial<Record<SecretKind, number>> {
  const found = auditDump(kernel).secrets.filter(({ readable }) => readable > 0);
  return Object.fromEntries(found.map(({ kind, readable }) => [kind, readable]));
}

describe('keys of disks and of TLS connections', () => {
  it('are in the dump before, and the audit says so', (t) => {
    const kernel = keeperDump(t);
    const before = contents(kernel.dump);
    for (const [what, bytes] of Object.entries({ ...kept, ...strays }))
      assert.ok(before.includes(Buffer.from(bytes)), what);
    // the disk's: whole, its halves, its cipher; of each direction: the structure, the key in it, the cipher
    assert.deepEqual(readableKeys(kernel), { 'disk key': 4, 'TLS key': 6 });
    const whose = auditDump(kernel).secrets.flatMap((secret) => secret.whose);
    assert.equal(whose[0], 'dm-0');
    assert.match(whose[1]!, /^socket [0-9a-f]+$/);
  });

  for (const format of ['kdump', 'elf'] as const) {
    it(`are in no page of a redacted ${format}, nor is any copy; the rest is as it was`, (t) => {
      const kernel = keeperDump(t);
      const saved = redacted(t, kernel, format);
      const after = contents(saved);
      for (const [what, bytes] of Object.entries({ ...kept, ...strays })) {
        for (const part of [bytes, bytes.subarray(0, 8), bytes.subarray(-8)]) {
          assert.ok(!after.includes(Buffer.from(part)), `${what} is there`);
        }
      }
      assert.ok(after.includes('what is no secret stays'));
      assert.deepEqual(readableKeys(openKernel(saved)), {});
      assert.match(saved.notes.eraseInfo ?? '', /^erase redact:disk-key size \d+\nerase redact:TLS-key size \d+\n/);
      const changed = contents(kernel.dump).reduce((sum, byte, i) => sum + Number(byte !== after[i]), 0);
      const sizes = [...Object.values(kept), ...Object.values(strays)].reduce((sum, { length }) => sum + length, 0);
      // beside them what is left of two structures of TLS: version, initialization vector, salt, sequence number
      assert.ok(changed <= sizes + 64, `${changed} bytes were changed, for ${sizes}`);
    });
  }
});
