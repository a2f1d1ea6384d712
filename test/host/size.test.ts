import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { Host } from '../../src/host/host.ts';
import { cpuCount, neededOf, parseSizeFacts, sizeFacts } from '../../src/host/size.ts';
import { modelSizes } from '../../src/host/size_models.ts';
import { hostTree, readyMachine } from '../support/host_tree.ts';

const mib = 1024 * 1024;

test('what `describe` writes gives the same size on another machine', () => {
  const facts = sizeFacts(new Host(hostTree(readyMachine)));
  const read = parseSizeFacts(JSON.stringify(facts), 'host.json');
  assert.deepEqual(read, facts);
  assert.deepEqual(neededOf(read), neededOf(facts));
  assert.equal(facts.cpus, 4);
  assert.equal(facts.modules, 32768 + 1048576 + 5 * 128 * 1024, 'loaded ones as they are, the others guessed');
});

test('the items add up, and more of a machine never needs less', () => {
  const facts = sizeFacts(new Host(hostTree(readyMachine)));
  const { items, total } = neededOf(facts);
  const sum = items.reduce((n, { bytes }) => n + bytes, 0);
  assert.ok(total >= sum && total - sum < mib);
  for (const more of [
    { ram: facts.ram * 16 },
    { cpus: 512 },
    { network: true },
    { encryption: 1024 * mib },
    { framebuffer: 8 * mib },
  ]) {
    assert.ok(neededOf({ ...facts, ...more }).total > total, JSON.stringify(more));
  }
});

test("the distributions' models by architecture and memory", () => {
  const facts = sizeFacts(new Host(hostTree(readyMachine)));
  const sizes = (machine: string, gib: number): readonly (number | null)[] =>
    modelSizes({ ...facts, machine, ram: gib * 1024 * mib })
      .map(({ bytes }) => (bytes === null ? null : bytes / mib))
      .slice(0, 2);
  assert.deepEqual(sizes('x86_64', 8), [256, 128]);
  assert.deepEqual(sizes('x86_64', 64), [512, 128]);
  assert.deepEqual(sizes('aarch64', 8), [320, 128]);
  assert.deepEqual(sizes('riscv64', 8), [null, 128]);
});

test('a file that describes no machine is refused', () => {
  for (const text of ['', '[]', '{}', '{"machine":"x86_64","ram":-1}', '{"machine":"x86_64","ram":1e400}']) {
    assert.throws(() => parseSizeFacts(text, 'x'), FormatError, text);
  }
});

test('lists of processors', () => {
  assert.equal(cpuCount('0-3,8'), 5);
  assert.equal(cpuCount('0'), 1);
});
