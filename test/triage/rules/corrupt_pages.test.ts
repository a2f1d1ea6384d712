// A struct page that was written over is a finding of its own, not a riddle in the log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandContext } from '../../../src/commands/context.ts';
import { Facts } from '../../../src/triage/facts.ts';
import { corruptPages } from '../../../src/triage/rules/corrupt_pages.ts';
import { MappedKernel } from '../../support/mapped_kernel.ts';

const word = 0xaaaa_aaaa_aaaa_aaaan;

function titles(log: (pfn: string) => readonly string[], words: readonly bigint[]): string[] {
  const kernel = new MappedKernel('struct page { u64 words[8]; };');
  const memory = kernel.reserve(4096);
  kernel.space.words(kernel.structPage(memory), ...words);
  const lines = log(kernel.frameOf(memory).toString(16));
  const facts: Facts = Object.create(new Facts(new CommandContext(kernel)), { logLines: { value: lines } });
  return corruptPages(facts).map(({ title }) => title);
}

const dumped = (pfn: string): readonly string[] => [
  `[    1.000000] page: refcount:-1431655766 mapcount:0 mapping:0000000000000000 index:0xaaaaaaaaaaaaaaaa pfn:0x${pfn}`,
  '[    1.000000] raw: aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa',
];

test('a page that the kernel printed and that is one word all over was overwritten', () => {
  const [title, ...more] = titles(dumped, new Array<bigint>(8).fill(word));
  assert.match(title ?? '', /^The struct page of page frame 0x[0-9a-f]+ was overwritten: all its words are 0xa{16}$/);
  assert.deepEqual(more, []);
});

test('a page whose words differ, are zero, or that the log does not name, was not', () => {
  assert.deepEqual(titles(dumped, [word, word, word, 1n, word, word, word, word]), []);
  assert.deepEqual(titles(dumped, new Array<bigint>(8).fill(0n)), []);
  assert.deepEqual(
    titles(() => [], new Array<bigint>(8).fill(word)),
    [],
  );
});

test('page frames that do not exist, however large, cost nothing', () => {
  assert.deepEqual(
    titles(() => [...dumped('fffffffffffff'), ...dumped('7fffffff')], [word]),
    [],
  );
});
