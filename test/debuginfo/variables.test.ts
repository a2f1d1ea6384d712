import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globalVariables } from '../../src/debuginfo/global_variables.ts';
import { perCpuVariables } from '../../src/debuginfo/percpu_variables.ts';
import type { TypeSource } from '../../src/debuginfo/type.ts';
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

test('an array that an enum counts is as long as its last enumerator says', () => {
  const types = parseCTypes('typedef struct { long counter; } atomic_long_t; enum zone_stat_item { A, B, NR_ITEMS };');
  const type = declaredType(types, 'vm_zone_stat');
  assert.equal(type?.kind === 'array' ? type.length : null, 2);
});

test('without types, those that are the same in every kernel are known, and no others', () => {
  const none = { find: () => null, all: () => [] };
  for (const name of ['init_task', 'modules', 'cpu_core_map', 'system_state', 'vm_committed_as']) {
    assert.equal(declaredType(none, name), null, name);
  }
  const kinds = ['avenrun', 'saved_command_line', 'linux_banner', 'current_task', 'panic_cpu', '__cpu_online_mask'];
  assert.deepEqual(
    kinds.map((name) => declaredType(none, name)?.kind),
    ['array', 'pointer', 'array', 'pointer', 'struct', 'struct'],
  );
});

test('every type in the table is C', () => {
  const any: TypeSource = { find: (name) => ({ kind: 'struct', name, size: 8, members: [] }), all: () => [] };
  for (const name of Object.keys({ ...globalVariables, ...perCpuVariables })) {
    assert.notEqual(declaredType(any, name), null, name);
  }
});

test('a variable whose type this kernel lacks has none, a pointer to it does', () => {
  const types = parseCTypes('struct rq { int nr_running; };');
  assert.equal(declaredType(types, 'softnet_data'), null);
  assert.equal(declaredType(types, 'current_task')?.kind, 'pointer');
  assert.equal(declaredType(types, 'constructor'), null);
});
