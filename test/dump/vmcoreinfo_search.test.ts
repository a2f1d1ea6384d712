import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { PhysicalMemory } from '../../src/dump/dump.ts';
import { findVmcoreinfo } from '../../src/dump/vmcoreinfo_search.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import { vmcoreinfoNote, writeNotes } from '../support/dump_writers/notes.ts';
import { openBytes, page } from '../support/dump_writers/temp_files.ts';

const boot = 'OSRELEASE=6.1.0\nBUILD-ID=00\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82014440\n';
const panic = `${boot}CRASHTIME=1700000000\n`;

function memory(test: TestContext, content: Record<number, Uint8Array>): PhysicalMemory {
  const pages = new Map(Object.entries(content).map(([frame, bytes]) => [Number(frame), bytes]));
  return openBytes(test, writeKdump({ pages, ram: [[0, 64]], compression: 'zlib' })).memory;
}

function pageWith(bytes: Uint8Array | string, offset = 0): Uint8Array {
  const whole = new Uint8Array(4096);
  whole.set(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, offset);
  return whole;
}

describe('findVmcoreinfo', () => {
  it('does not take format strings, pieces and other words for it', (t) => {
    const found = findVmcoreinfo(
      memory(t, {
        1: page(1),
        2: pageWith('OSRELEASE=%s\nPAGESIZE=%ld\nSYMBOL(init_uts_ns)=%lx\n'),
        3: pageWith('OSRELEASE=6.1.0\n'),
        4: pageWith('OSRELEASE=6', 4085),
        8: pageWith(boot.slice(20)),
      }),
    );
    assert.equal(found, null);
  });

  it("prefers the panic's note to the text of boot, and that to a copy", (t) => {
    const note = pageWith(writeNotes([vmcoreinfoNote(panic)]));
    const copy = pageWith(boot.replace('6.1.0', '5.0.0'), 100);
    assert.equal(findVmcoreinfo(memory(t, { 1: copy, 2: pageWith(boot), 9: note })), panic);
    assert.equal(findVmcoreinfo(memory(t, { 1: copy, 2: pageWith(boot) })), boot);
    assert.match(findVmcoreinfo(memory(t, { 1: copy }))!, /^OSRELEASE=5\.0\.0\n/);
  });

  it('reads a text that goes on in the next page, up to a page that is not there', (t) => {
    const long = `${boot}${'OFFSET(page.flags)=0\n'.repeat(250)}CRASHTIME=5\n`;
    const bytes = writeNotes([vmcoreinfoNote(long)]);
    const [first, second] = [pageWith(bytes.subarray(0, 4096)), pageWith(bytes.subarray(4096))];
    assert.equal(findVmcoreinfo(memory(t, { 6: first, 7: second })), long);
    const cut = findVmcoreinfo(memory(t, { 6: first }))!;
    assert.equal(cut, long.slice(0, cut.length));
    assert.ok(cut.length > 4000);
  });

  it('gives up when its time is over', (t) => {
    assert.equal(findVmcoreinfo(memory(t, { 1: pageWith(panic) }), -1), null);
  });
});
