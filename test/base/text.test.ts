import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeHtml, escapeJson, escapeLine, escapeLogLine, escapeTerminal, hex16 } from '../../src/base/text.ts';

test('nothing from a dump can drive a terminal', () => {
  assert.equal(escapeTerminal('a\x1b[31mb\r\x07\x9b0m\x7f'), 'a\\x1b[31mb\\x0d\\x07\\x9b0m\\x7f');
  assert.equal(escapeTerminal('tab\tand\nnewline'), 'tab\tand\nnewline');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(escapeTerminal(text), /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }),
  );
});

test('JSON is safe on a terminal, and means the same', () => {
  assert.equal(escapeJson(JSON.stringify('a\x9b0m\x7f')), '"a\\u009b0m\\u007f"');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = escapeJson(JSON.stringify({ text }));
      assert.doesNotMatch(json, /[\x00-\x1f\x7f-\x9f]/);
      assert.deepEqual(JSON.parse(json), { text });
    }),
  );
});

test('nothing from a dump is markup', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.doesNotMatch(escapeHtml(text), /[<>"']|&(?!#\d+;)/);
    }),
  );
});

test('64-bit words have 16 digits, negative ones wrapped', () => {
  assert.equal(hex16(0n), '0000000000000000');
  assert.equal(hex16(-1n), 'ffffffffffffffff');
});

test('text cannot look like another: no writing direction, no other ends of lines', () => {
  assert.equal(escapeTerminal('a\u202eb\u2066c\u2028d\u200f'), 'a\\u202eb\\u2066c\\u2028d\\u200f');
  assert.equal(escapeJson(JSON.stringify('\u202e\u2028')), '"\\u202e\\u2028"');
  assert.equal(JSON.parse(escapeJson(JSON.stringify('\u202e\u2028'))), '\u202e\u2028');
  assert.equal(escapeTerminal('שלום, 日本, é'), 'שלום, 日本, é');
});

test('a name cannot forge a line', () => {
  assert.equal(escapeLine('a\tb\nc'), 'a\\x09b\\x0ac');
  assert.equal(escapeLogLine('a\tb\nc'), 'a\tb\\x0ac');
});
