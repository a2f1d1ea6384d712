import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declaredType } from '../../src/debuginfo/variables.ts';
import { parseCTypes } from '../support/c_types.ts';

test('a per-CPU variable has its type where BTF lists none: kernels made with pahole 1.18 to 1.21', () => {
  const types = parseCTypes('struct rq { int nr_running; }; struct timer_base { int cpu; };');
  assert.equal(declaredType(types, 'runqueues'), types.find('rq'));
  assert.deepEqual(declaredType(types, 'timer_bases'), {
    kind: 'array',
    element: types.find('timer_base'),
    length: 0, // as long as its symbol
  });
});

test('a variable whose type this kernel lacks has none, a pointer to it does', () => {
  const types = parseCTypes('struct rq { int nr_running; };');
  assert.equal(declaredType(types, 'softnet_data'), null);
  assert.equal(declaredType(types, 'current_task')?.kind, 'pointer');
  assert.equal(declaredType(types, 'constructor'), null);
});
