// What the CPU said of a fault: a wrong word sends an engineer after the wrong kind of bug.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { syndromeOf } from '../../src/arch/aarch64/syndrome.ts';
import { pageFaultOf } from '../../src/arch/x86_64/page_fault.ts';

describe("arm64's ESR", () => {
  for (const [line, reason, access, words] of [
    ['  ESR = 0x0000000096000006', 'not-mapped', 'read', /data abort in the kernel, level 2 translation fault, read/],
    ['ESR = 0x96000045', 'not-mapped', 'write', /level 1 translation fault, write/],
    ['ESR = 0x000000009600004f', 'permission', 'write', /level 3 permission fault, write/],
    ['ESR = 0x000000008600000f', 'permission', 'execute', /instruction abort in the kernel, level 3 permission/],
    ['ESR = 0x0000000096000011', 'tag', 'read', /tag check fault/],
    ['ESR = 0x0000000096000021', 'alignment', 'read', /alignment fault/],
    ['ESR = 0x000000009600002b', 'not-mapped', 'read', /level -1 translation fault/],
    ['Internal error: synchronous external abort: 0000000096000010 [#1] SMP', 'hardware', 'read', /external abort/],
    ['Internal error: Oops - FPAC: 0000000072000000 [#1] SMP', null, null, /\(FPAC\) by the instruction key A/],
    ['Internal error: Oops - FPAC: 0000000072000003 [#1] SMP', null, null, /data key B/],
    ['Internal error: Oops - BTI: 0000000036000002 [#1] SMP', null, null, /\(BTI\) \(BTYPE 2\)/],
    ['Internal error: Oops - Undefined instruction: 0000000002000000 [#1] SMP', null, null, /undefined/],
    ['Internal error: Oops - BUG: 00000000f2000800 [#1] SMP', null, null, /BRK\) with the immediate 0x800/],
    ['Internal error: SError: 00000000be000411 [#1]', null, null, /SError\), unrecoverable/],
    ['Internal error: watchpoint: 00000000d6000022 [#1]', null, 'read', /a watchpoint in the kernel, debug exception/],
  ] as const) {
    test(line, () => {
      const told = syndromeOf(`something\n${line}\nmore`);
      assert.deepEqual([told?.reason, told?.access], [reason, access]);
      assert.match(told!.words, words);
    });
  }
  test('lines without one, and a number that is none', () => {
    for (const text of ['', 'ESR = 0x', 'Internal error: Oops: 0 [#1]', 'Internal error: Oops - BUG: 00000000 [#1]']) {
      assert.equal(syndromeOf(text), null);
    }
  });
});

test("x86's page fault error code", () => {
  const of = (code: string) => {
    const told = pageFaultOf(`#PF: error_code(0x${code}) - `);
    return [told?.reason, told?.access];
  };
  assert.deepEqual(of('0000'), ['not-mapped', 'read']);
  assert.deepEqual(of('0003'), ['permission', 'write']);
  assert.deepEqual(of('0011'), ['permission', 'execute']);
  assert.deepEqual(of('000b'), ['corrupt-tables', 'write']);
  assert.deepEqual(of('0023'), ['protection-key', 'write']);
  assert.deepEqual(of('0043'), ['shadow-stack', 'write']);
  assert.equal(pageFaultOf('Oops: 0002'), null);
});
