// Deaths by the hardware, and what it had said before other deaths.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyseLog } from '../../src/triage/analyse.ts';

const report = (...lines: string[]) =>
  analyseLog(
    Buffer.from(lines.map((line, n) => `[  100.${String(n).padStart(6, '0')}] ${line}\n`).join('')),
    'console.log',
  );

const corrected = [
  'EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x12345 offset:0x0 grain:32 syndrome:0x0 -  area:DRAM err_code:0001:0091 socket:0 ha:0 channel_mask:2 rank:1)',
];
const panic = [
  'Kernel panic - not syncing: widget lost',
  'CPU: 0 UID: 0 PID: 7 Comm: sh Not tainted 7.2.13 #1',
  'Call Trace:',
  ' <TASK>',
  ' panic+0x344/0x3a0',
  ' widget_write+0x28/0x30 [widget]',
  ' </TASK>',
];

test('a machine check names the part that broke', () => {
  const { panic: found, findings } = report(
    'mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 13: be00000001010091',
    'mce: [Hardware Error]: TSC 1234567890 ADDR 12345678c0 MISC 86 ',
    'mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1717236000 SOCKET 1 APIC 40 microcode 2006e05',
    'mce: [Hardware Error]: Machine check: Processor context corrupt',
    'Kernel panic - not syncing: Fatal machine check',
  );
  assert.equal(found.kind, 'machine-check');
  assert.match(found.message, /change the DIMM at channel 1 of socket 1/);
  assert.ok(findings.some(({ title, evidence }) => /change the DIMM/.test(title) && evidence.length > 0));
});

test('corrected errors before another death are a finding, not the verdict', () => {
  const { panic: found, findings } = report(...corrected, ...panic);
  assert.match(found.message, /^The kernel called panic\(\): widget lost/);
  const finding = findings.find(({ title }) => title.startsWith('The hardware reported errors'));
  assert.match(finding?.title ?? '', /All of it was corrected \(1 error\)/);
  assert.equal(finding?.confidence, 'likely');
});

test('a log without such errors has no such finding', () => {
  assert.ok(!report(...panic).findings.some(({ title }) => /hardware/.test(title)));
});
