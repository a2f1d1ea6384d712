// What is said to be in a dump must be what is in it: a dump that is let out of the house on its word is out.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pfn } from '../../src/base/address.ts';
import { openDump } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { auditDump } from '../../src/save/audit.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

describe('an audit', () => {
  it('counts texts of 8 characters and more, and no filling, and tells what was erased', (t) => {
    const small = openBytes(t, smallDump());
    const pages = new Map<number, Uint8Array>();
    for (const { first, count } of small.memory.presentRuns(pfn(0), pfn(small.memory.maxPfn))) {
      for (let frame: number = first; frame < first + count; frame++) {
        pages.set(frame, small.memory.page(pfn(frame)).slice());
      }
    }
    const options = { vmcoreinfo: small.notes.vmcoreinfo!, eraseInfo: 'erase some size 3\n' };
    const audited = () => auditDump(openKernel(openBytes(t, writeKdump({ ...options, pages }))));
    const before = audited();
    const free = Array.from({ length: 1000 }, (_, n) => n).find((n) => !pages.has(n))!;
    const page = Buffer.alloc(4096);
    page.write('a secret text\0short\0XXXXXXXXXXXXXXXX\0exactly8\0', 10);
    page.write('to the end of it', 4080);
    pages.set(free, page);
    const after = audited();
    const sum = ({ places }: typeof before, of: 'texts' | 'characters' | 'pages') =>
      places.reduce((total, place) => total + place[of], 0);
    assert.equal(sum(after, 'pages') - sum(before, 'pages'), 1);
    assert.equal(sum(after, 'texts') - sum(before, 'texts'), 3);
    assert.equal(sum(after, 'characters') - sum(before, 'characters'), 13 + 8 + 16);
    assert.equal(after.erased, 'erase some size 3\n');
  });

  it('of a dump without memory of processes finds no arguments, and says where texts are', (t) => {
    const dump = openDump([fileURLToPath(new URL('../../samples/vmcore', import.meta.url))]);
    t.after(() => dump.close());
    const { secrets, places, level } = auditDump(openKernel(dump));
    assert.equal(level, dump.info.level);
    for (const { kind, known, readable, bytes } of secrets) {
      assert.ok(readable <= known, kind);
      assert.equal(bytes > 0, readable > 0, kind);
    }
    assert.equal(
      places.reduce((sum, { pages }) => sum + pages, 0),
      dump.info.pages.present,
    );
    assert.ok(places.some(({ cache, texts }) => cache === 'dentry' && texts > 0));
  });
});
