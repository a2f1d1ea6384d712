// What `npm run check` refuses: a file that imports itself through others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circlesOf } from '../../scripts/circles.ts';

const graph = (edges: Record<string, string[]>): Map<string, string[]> => new Map(Object.entries(edges));

test('no circle, however often a file is imported', () => {
  assert.deepEqual(circlesOf(graph({ a: ['b', 'c'], b: ['d'], c: ['d', 'b'], d: ['missing'] })), []);
});

test('a circle is told with the way through it, once, and shortest', () => {
  assert.deepEqual(circlesOf(graph({ x: ['a'], a: ['b'], b: ['c', 'd'], c: ['d'], d: ['a'] })), [['a', 'b', 'd', 'a']]);
});

test('circles apart are each told; a file may import itself', () => {
  const edges = { a: ['b'], b: ['a', 'c'], c: ['c'], d: ['a'] };
  assert.deepEqual(circlesOf(graph(edges)), [
    ['a', 'b', 'a'],
    ['c', 'c'],
  ]);
});
