import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { withoutLocales } from '../../../src/host/initramfs/icu_data.ts';

/** A package with two items, as it lies in a file: `header | count | (name, place)* | names | items`. */
function dataPackage(items: Readonly<Record<string, string>>): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt16LE(32, 0);
  header.set([0xda, 0x27], 2);
  header.write('CmnD', 12);
  const names = Object.keys(items).map((name) => Buffer.from(`${name}\0`));
  const bodies = Object.values(items).map((text) => Buffer.from(text));
  const table = Buffer.alloc(4 + 8 * names.length);
  table.writeUInt32LE(names.length, 0);
  let at = table.length;
  for (const [i, name] of names.entries()) {
    table.writeUInt32LE(at, 4 + 8 * i);
    at += name.length;
  }
  for (const [i, body] of bodies.entries()) {
    table.writeUInt32LE(at, 8 + 8 * i);
    at += body.length;
  }
  return Buffer.concat([
    Buffer.from('code of a program'),
    header,
    table,
    ...names,
    ...bodies,
    Buffer.from('more code'),
  ]);
}

const items = {
  'icudt1l/coll/de.res': 'GERMAN',
  'icudt1l/coll/root.res': 'ROOT',
  'icudt1l/cnvalias.icu': 'ALIASES',
  'icudt1l/gb18030.cnv': 'CHINESE',
  'icudt1l/translit/root.res': 'TRANSLIT',
  'icudt1l/zz.res': 'LAST',
};

test('locales and character sets are zeroes, what every program wants stays, and so does all around', () => {
  const node = dataPackage(items);
  const less = withoutLocales(node);
  assert.equal(less.length, node.length);
  for (const gone of ['GERMAN', 'CHINESE', 'TRANSLIT']) {
    assert.ok(node.includes(gone));
    assert.ok(!less.includes(gone), gone);
  }
  for (const kept of ['ROOT', 'ALIASES', 'code of a program', 'more code', 'icudt1l/coll/de.res'])
    assert.ok(less.includes(kept), kept);
});

test('a file without such data, and one whose table is damaged, is left as it is', () => {
  const plain = Buffer.from('no data: CmnD alone is not enough');
  assert.ok(withoutLocales(plain).equals(plain));
  const many = dataPackage(items);
  many.writeUInt32LE(0xffffffff, 17 + 32);
  assert.ok(withoutLocales(many).equals(many));
  for (let at = 17; at < 150; at += 4) {
    const bad = dataPackage(items);
    bad.writeUInt32LE(0xfffffff0, at);
    assert.doesNotThrow(() => withoutLocales(bad));
  }
});

test("this machine's Node runs without them, knows times and regular expressions, and packs smaller", () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-'));
  try {
    const whole = readFileSync(process.execPath);
    const file = join(folder, 'node');
    const less = withoutLocales(whole);
    writeFileSync(file, less);
    chmodSync(file, 0o755);
    const script = `console.log(new Date(0).toLocaleString('en-US', { timeZone: 'UTC' }), /\\p{Lu}/u.test('Ä'), 'ä'.toUpperCase(), [10, 9].toSorted(new Intl.Collator('en', { numeric: true }).compare).join(), new TextDecoder('latin1').decode(Buffer.from([0xe4])), (1234.5).toLocaleString())`;
    const { status, stdout, stderr } = spawnSync(file, ['-e', script], {
      encoding: 'utf8',
      env: { LC_ALL: 'de_DE.UTF-8' },
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^1\/1\/1970, 12:00:00.AM true Ä 9,10 ä 1,234\.5\n$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
