import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memberAt } from '../../src/debuginfo/member_at.ts';
import { parseCTypes } from '../support/c_types.ts';

const types = parseCTypes(`
  struct list_head { struct list_head *next, *prev; };
  struct inner { int a; char b; };
  struct thing { char name[5]; struct { int x; union { int y; short z; }; }; struct inner parts[3]; unsigned low : 3; unsigned high : 5; struct list_head list; };
`);
const thing = types.find('struct thing')!;

test('the innermost member of every byte; padding and what is outside are no member', () => {
  const at = (offset: number) => memberAt(thing, offset);
  assert.equal(at(0), 'name[0]');
  assert.equal(at(4), 'name[4]');
  assert.equal(at(6), null); // between name and x
  assert.equal(at(8), 'x');
  assert.equal(at(13), 'y');
  assert.equal(at(16), 'parts[0].a');
  assert.equal(at(28), 'parts[1].b');
  assert.equal(at(30), null); // behind parts[1].b
  assert.equal(at(40), 'low');
  assert.equal(at(48), 'list.next');
  assert.equal(at(63), 'list.prev');
  assert.equal(at(64), null);
  assert.equal(at(-1), null);
});

test('a type without members is itself', () => {
  assert.equal(memberAt(types.find('int')!, 2), '');
  assert.equal(memberAt(types.find('int')!, 4), null);
});
