// The short way from a packet to both files writes what the long way does, or is not taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consoleLines, jsonLine } from '../../../src/collect/netconsole/lines.ts';
import { PendingLines } from '../../../src/collect/netconsole/pending_lines.ts';
import { PlainRecord } from '../../../src/collect/netconsole/plain_record.ts';
import { parseExtendedHeader, recordFields, recordText } from '../../../src/oops/extended_record.ts';

const received = 1_763_800_000_123;
const receivedBytes = Buffer.from(`","received":${received}`);
const release = '6.12.100-cloud-amd64';
const record = new PlainRecord();

/** Both files' lines; null: not a plain record. */
function short(packet: string): { log: string; json: string } | null {
  const bytes = Buffer.from(packet, 'latin1');
  if (!record.read(bytes)) return null;
  // as the stream does: the first record of a boot goes the long way
  if (record.releaseEnd > 0 && !record.isOf(bytes, release)) return null;
  const [log, json] = [new PendingLines(), new PendingLines()];
  record.writeLine(bytes, log);
  record.writeJson(bytes, receivedBytes, json);
  return { log: log.bytes.toString(), json: json.bytes.toString() };
}

function long(packet: string): { log: string; json: string } {
  const head = parseExtendedHeader(packet)!;
  const body = packet.slice(head.bodyAt);
  const whole = {
    ...head,
    level: head.priority & 7,
    text: recordText(body),
    fields: recordFields(body),
    missingBytes: 0,
  };
  return { log: consoleLines(whole), json: jsonLine(whole, received) };
}

const usual: readonly string[] = [
  '6,1,0,-;a',
  '6,0,999999,-;text\n',
  '3,1234,1000000,-,caller=T1;BUG: kernel NULL pointer dereference, address: 0000000000000000',
  '6.12.100-cloud-amd64,30,77,123456789012,-,caller=C12;x\n',
  '6.12.100-cloud-amd64,6,77,99999,-,caller=T4194304;usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n cpu=3\n',
  '6,8,5,-;\n cpu=0\n taskname=swapper/0 (idle)',
  '6,8,5,-;no value\n key=\n',
  `6,8,5,-;${'long '.repeat(180)}`,
];

const unusual: readonly string[] = [
  '',
  '6,1,2,-',
  'plain text; of another kind',
  '6,1,2,c;the first piece',
  '6,1,2,-,ncfrag=0/20;part',
  '6,1,2,-,caller=X1;whose',
  '6,1,2,-,caller=T;whose',
  '6,1,2,-,caller=T12345678901;whose',
  '6,007,2,-;zeros in front are not JSON',
  '6,1,02,-;nor here',
  '6,1234567890123456,2,-;a number that is not exact',
  '123456,1,2,-;a priority that is none',
  '6,1,2,-;"quoted"',
  '6,1,2,-;back\\x0aslash',
  '6,1,2,-;caf\xe9',
  '6,1,2,-;text\n no field',
  '6,1,2,-;text\n9=digit in front',
  '6,1,2,-;text\n a="quoted"',
  `6,1,2,-;text\n ${'k'.repeat(65)}=v`,
  `6,1,2,-;text\n k=${'v'.repeat(1001)}`,
  `6,1,2,-;text${'\n k=v'.repeat(65)}`,
  `${'r'.repeat(65)},6,1,2,-;text`,
];

test('what nearly all records are is written as the long way writes it', () => {
  for (const packet of usual) assert.deepEqual(short(packet), long(packet), packet);
});

test('what is unusual is left to the long way', () => {
  for (const packet of unusual) assert.equal(short(packet), null, packet);
});

test('whatever comes is written as the long way writes it, or not at all', () => {
  const word = fc.oneof(
    fc.constantFrom('6', '0', ',', '-', ';', 'caller=', 'T1', 'C', '\n', '\n ', '=', '"', '\\', 'key', 'cpu=1', '\x7f'),
    fc.stringMatching(/^[ -~]{0,20}$/),
    fc.nat().map(String),
  );
  const near = fc.tuple(fc.constantFrom(...usual), fc.nat(120), fc.nat(4), word);
  fc.assert(
    fc.property(near, fc.array(word, { maxLength: 6 }), ([packet, at, gone, more], end) => {
      const changed = `${packet.slice(0, at)}${more}${packet.slice(at + gone)}${end.join('')}`;
      const written = short(changed);
      if (written === null) return;
      const expected = long(changed);
      assert.equal(written.log, expected.log);
      // of fields of one name the last one counts
      assert.deepEqual(JSON.parse(written.json), JSON.parse(expected.json));
    }),
    { numRuns: 3000 },
  );
});
