// Hardware errors in every form in which they are written down, and the part to change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hardwareAdvice } from '../../src/collect/hardware/advice.ts';
import { bootErrors, cperErrors } from '../../src/collect/hardware/cper.ts';
import type { HardwareError } from '../../src/collect/hardware/hardware_error.ts';
import { hardwareErrors } from '../../src/collect/hardware/log_errors.ts';
import { codeMeaning, describeMachineCheck, machineCheckDefaults } from '../../src/collect/hardware/mca.ts';
import { partsToChange } from '../../src/collect/hardware/of_incident.ts';
import { machineCheckOfBytes } from '../../src/collect/hardware/raw_mce.ts';
import { findIncidents } from '../../src/oops/scanner.ts';
import { cperRecord, guidBytes } from '../support/pstore_writer.ts';

const log = (...lines: string[]): string =>
  lines.map((line, n) => `[  100.${String(n).padStart(6, '0')}] ${line}\n`).join('');
const one = (text: string): HardwareError => {
  const errors = hardwareErrors(text);
  assert.equal(errors.length, 1, JSON.stringify(errors));
  return errors[0]!;
};

test("a machine check of the kernel's log: place, severity, channel", () => {
  const error = one(
    log(
      'mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 13: be00000001010091',
      'mce: [Hardware Error]: RIP 10:<ffffffff81234567> {do_something+0x12/0x40}',
      'mce: [Hardware Error]: TSC 1234567890 ADDR 12345678c0 MISC 86 ',
      'mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1717236000 SOCKET 1 APIC 40 microcode 2006e05',
      'mce: [Hardware Error]: Machine check: Processor context corrupt',
      'Kernel panic - not syncing: Fatal machine check',
    ),
  );
  assert.equal(error.severity, 'fatal');
  assert.equal(error.unit, 'memory');
  assert.match(error.what, /memory error in a read \(memory controller, bank 13\)/);
  assert.deepEqual([error.cpu, error.socket, error.bank, error.location], [4, 1, 13, 'channel 1']);
  assert.equal(error.address, '0x12345678c0');
  assert.equal(error.time, 1717236000);
  assert.match(
    hardwareAdvice([error])[0]!.sentence,
    /The machine died of it \(1 error\): change the DIMM at channel 1 of socket 1/,
  );
});

test('a machine check that the kernel panics of is fatal, though its status would let it go on', () => {
  const lines = [
    'mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 9: bd00000000000091',
    'mce: [Hardware Error]: TSC 0 ADDR 62000000 MISC 8c ',
    'mce: [Hardware Error]: PROCESSOR 2:600f12 TIME 1795296000 SOCKET 0 APIC 0 microcode 1000065',
  ];
  assert.equal(one(log(...lines)).severity, 'recoverable');
  assert.equal(one(log(...lines, 'Kernel panic - not syncing: Fatal local machine check')).severity, 'fatal');
});

test("AMD's decoder and its banks", () => {
  const error = one(
    log(
      '[Hardware Error]: Corrected error, no action required.',
      '[Hardware Error]: CPU:2 (19:1:1) MC18_STATUS[Over|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: 0xdc2040000000011b',
      '[Hardware Error]: Error Addr: 0x00000003f1a2b3c0',
      '[Hardware Error]: IPID: 0x0000009600350f00, Syndrome: 0x1bf4000a0a800b01',
      '[Hardware Error]: Unified Memory Controller Ext. Error Code: 0, DRAM ECC error.',
      '[Hardware Error]: cache level: L3/GEN, tx: GEN, mem-tx: RD',
    ),
  );
  assert.deepEqual([error.severity, error.unit, error.location], ['corrected', 'memory', 'memory controller 3']);
  assert.match(error.what, /DRAM ECC error \(memory controller\)/);
  const deferred = describeMachineCheck({
    ...machineCheckDefaults,
    vendor: 'amd',
    bank: 18,
    status: 0x9c20_5000_0001_011bn,
    ipid: 0x0000_0096_0000_0000n,
  });
  assert.deepEqual([deferred.severity, deferred.what], ['deferred', 'poisoned data in memory (memory controller)']);
});

test('mcelog and mce-inject, with the status behind the bank', () => {
  const errors = hardwareErrors(
    'Hardware event. This is not a software error.\nMCE 0\nCPU 0 BANK 1\nMISC 21 ADDR 1234 \nTIME 1600000000 Sun Sep 13\nSTATUS 8c00004000010135 MCGSTATUS 0\nMCGCAP c09 APICID 0 SOCKETID 0\nCPUID Vendor Intel Family 6 Model 85\nMCE 1\nCPU 3 BANK 13\nSTATUS 0x8c00004000010091\nADDR 0xdeadb000\nPROCESSOR 0:50654\n',
  );
  assert.equal(errors.length, 2);
  assert.deepEqual(
    errors.map(({ cpu, unit, severity, time }) => [cpu, unit, severity, time]),
    [
      [0, 'cache', 'corrected', 1600000000],
      [3, 'memory', 'corrected', null],
    ],
  );
  assert.match(errors[0]!.what, /L1 data cache in a data read/);
});

test('a processor or socket that is no number is none', () => {
  for (const number of ['dead', 'ffffffff', '99999999999999999', '-1', '']) {
    const [error] = hardwareErrors(
      `rasdaemon-1 [000] 0.1: mce_record: 2024-06-01 12:00:00 +0000 bank=13, status= 9c00000001010091, cpu= ${number}, socketid= ${number}, addr= 1f00d000`,
    );
    assert.deepEqual([error!.cpu, error!.socket, error!.address], [0, null, '0x1f00d000'], number);
    assert.doesNotMatch(hardwareAdvice([error!])[0]!.sentence, /NaN/);
  }
});

test("rasdaemon's lines", () => {
  const errors = hardwareErrors(
    [
      'rasdaemon-123 [000] 0.000012: mce_record: 2024-06-01 12:00:00 +0000 bank=13, status= 9c00000001010091, Corrected error, mci=, mca=MEMORY CONTROLLER RD_CHANNEL1_ERR, cpu_type= Intel Xeon Skylake, cpu= 2, socketid= 1, misc= 86, addr= 1f00d000, mcgstatus= 0, apicid= 40',
      'rasdaemon-123 [000] 0.000013: mc_event: 2024-06-01 12:00:00 +0000 3 Corrected errors: memory read error on DIMM_B1 (mc: 0 location: 1:0 address: 0x1f00d000 grain: 5 syndrome: 0x0)',
      'rasdaemon-123 [000] 0.000014: aer_event: 2024-06-01 12:00:00 +0000 0000:3b:00.0 PCIe Bus Error: Corrected: Receiver Error',
      'rasdaemon-1 [000] 0.1: cxl_general_media: memdev=mem1 host=0000:8d:00.0 serial=3 log=Failure : hdr_flags=UNCORRECTABLE_EVENT dpa=1000 type=ECC',
    ].join('\n'),
  );
  assert.deepEqual(
    errors.map(({ source, severity, unit, count }) => [source, severity, unit, count]),
    [
      ['mce', 'corrected', 'memory', 1],
      ['edac', 'corrected', 'memory', 3],
      ['aer', 'corrected', 'pcie', 1],
      ['kernel', 'recoverable', 'cxl', 1],
    ],
  );
  // the driver's name of the DIMM stands for the processor's channel
  assert.deepEqual(
    hardwareAdvice(errors).map(({ place, count }) => [place, count]),
    [
      ['0000:8d:00.0', 1],
      ['DIMM_B1', 3],
      ['0000:3b:00.0', 1],
    ],
  );
});

test('EDAC names the DIMM, and many corrected errors of it ask for another', () => {
  const line = (n: number): string =>
    `EDAC MC1: 1 CE memory read error on CPU_SrcID#1_Ha#0_Chan#2_DIMM#0 (channel:2 slot:0 page:0x${(0x1234 + n).toString(16)} offset:0x80 grain:32 syndrome:0x0 -  area:DRAM err_code:0001:0092 socket:1 ha:0 channel_mask:4 rank:1)`;
  const few = hardwareErrors(log(line(0)));
  assert.equal(few[0]!.address, '0x1234080');
  assert.match(hardwareAdvice(few)[0]!.sentence, /keep CPU_SrcID#1_Ha#0_Chan#2_DIMM#0 of socket 1 in view/);
  const page = hardwareErrors(log(...Array.from({ length: 12 }, () => line(0))));
  assert.match(hardwareAdvice(page)[0]!.sentence, /always in one page/);
  const many = hardwareErrors(log(...Array.from({ length: 12 }, (_, n) => line(n))));
  assert.match(
    hardwareAdvice(many)[0]!.sentence,
    /All of it was corrected \(12 errors\): change the DIMM at CPU_SrcID#1/,
  );
});

test('AER, old wording and new, with the bits by name', () => {
  for (const head of [
    'pcieport 0000:00:1c.5: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)',
    'nvme 0000:00:1c.5: AER: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, (Requester ID)',
  ]) {
    const error = one(
      log(
        'pcieport 0000:00:1c.0: AER: Uncorrected (Non-Fatal) error received: 0000:00:1c.5',
        head,
        'pcieport 0000:00:1c.5:   device [8086:9d15] error status/mask=00100000/00010000',
        'pcieport 0000:00:1c.5:    [20] UnsupReq               (First)',
        'usb 1-1: new device',
      ),
    );
    assert.deepEqual(
      [error.device, error.severity, error.status, error.details],
      ['0000:00:1c.5', 'recoverable', '0x00100000', [['bits', 'UnsupReq']]],
    );
  }
});

test("firmware's records as the kernel prints them, two at once, and those of the boot before", () => {
  const errors = hardwareErrors(
    log(
      '{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 1',
      '{1}[Hardware Error]: It has been corrected by h/w and requires no further action',
      '{1}[Hardware Error]: event severity: corrected',
      '{1}[Hardware Error]:  Error 0, type: corrected',
      '{1}[Hardware Error]:  fru_text: A1',
      '{1}[Hardware Error]:   section_type: memory error',
      '{1}[Hardware Error]:   error_status: Storage error in DRAM memory (0x0000000000000400)',
      '{1}[Hardware Error]:   physical_address: 0x000000007ff00000',
      '{1}[Hardware Error]:   node:0 card:1 module:0 rank:0 bank:2 row:12 column:3 ',
      '{1}[Hardware Error]:   error_type: 2, single-bit ECC',
      '{1}[Hardware Error]:   DIMM location: CPU1 DIMM_A1',
      '{1}[Hardware Error]:  Error 1, type: recoverable',
      '{1}[Hardware Error]:   section_type: PCIe error',
      '{1}[Hardware Error]:   port_type: 4, root port',
      '{1}[Hardware Error]:   device_id: 0000:00:02.0',
      'BERT: Error records from previous boot:',
      '[Hardware Error]: event severity: fatal',
      '[Hardware Error]:  Error 0, type: fatal',
      '[Hardware Error]:   section_type: ARM processor error',
      '[Hardware Error]:   MIDR: 0x00000000481fd010',
      '[Hardware Error]:   error_type: 0x02: cache error',
    ),
  );
  assert.deepEqual(
    errors.map(({ severity, unit, location, device }) => [severity, unit, location, device]),
    [
      ['corrected', 'memory', 'CPU1 DIMM_A1', null],
      ['recoverable', 'pcie', null, '0000:00:02.0'],
      ['fatal', 'cache', null, null],
    ],
  );
  assert.equal(errors[0]!.address, '0x000000007ff00000');
  assert.match(errors[0]!.what, /^memory error: single-bit ECC$/);
  assert.match(errors[2]!.what, /in the boot before/);
});

test("arm64's aborts and pages given up", () => {
  const errors = hardwareErrors(
    log(
      'SError Interrupt on CPU2, code 0x00000000be000c11 -- SError',
      'SError Interrupt on CPU3, code 0x00000000bf000002 -- SError',
      'Internal error: synchronous external abort: 0000000096000410 [#1] SMP',
      'Memory failure: 0x2a1b3: recovery action for dirty LRU page: Recovered',
      'mce: Uncorrected hardware memory error in user-access at 2a1b3000',
    ),
  );
  assert.deepEqual(
    errors.map(({ severity, address }) => [severity, address]),
    [
      ['recoverable', null],
      ['fatal', null],
      ['fatal', null],
      ['deferred', '0x2a1b3000'],
      ['recoverable', '0x2a1b3000'],
    ],
  );
});

test('a log without hardware errors has none', () => {
  assert.deepEqual(
    hardwareErrors(
      log(
        'mce: CPU0: Thermal monitoring enabled (TM1)',
        'mce: Using 20 MCE banks',
        'EDAC MC: Ver: 3.0.0',
        'pcieport 0000:00:1c.0: AER: enabled with IRQ 122',
        'EDAC MC0: Giving out device to module skx_edac',
        'BERT: [Hardware Error]: Skipped 1 error records',
        'STATUS 1 of nothing',
      ),
    ),
    [],
  );
});

test('every error code means something, and codes of memory name memory', () => {
  for (let code = 0; code < 0x10000; code++) assert.ok(codeMeaning(code).what.length > 3);
  assert.equal(codeMeaning(0x009f).unit, 'memory');
  assert.equal(codeMeaning(0x109f).unit, 'memory');
  assert.equal(codeMeaning(0x0150).what, 'error of the L0 instruction cache in an instruction fetch');
  assert.equal(codeMeaning(0x0e0b).unit, 'pcie');
  assert.equal(codeMeaning(0x0400).what, 'internal timer: nothing was retired for too long');
});

test('a machine check of pstore is read, with the mark of an injection', () => {
  const mce = Buffer.alloc(128);
  mce.writeBigUInt64LE(0xbe00_0000_0080_0400n, 0);
  mce.writeBigUInt64LE(4n, 24);
  mce.writeBigUInt64LE(1717236000n, 48);
  mce.writeUInt8(0, 56);
  mce.writeUInt8(1, 57);
  mce.writeUInt32LE(0x50654, 60);
  mce.writeUInt8(3, 65);
  mce.writeUInt32LE(7, 68);
  const error = machineCheckOfBytes(mce)!;
  assert.deepEqual([error.cpu, error.bank, error.severity, error.unit, error.injected], [7, 3, 'fatal', 'core', true]);
  assert.match(hardwareAdvice([error])[0]!.sentence, /Nothing is broken/);
  assert.equal(machineCheckOfBytes(Buffer.alloc(128)), null);
  assert.equal(machineCheckOfBytes(mce.subarray(0, 71)), null);
});

const memoryGuid = 'a5bc1114-6f64-4ede-b863-3e83ed7c83b1';

function memorySection(): Buffer {
  const section = Buffer.alloc(80);
  section.writeBigUInt64LE((1n << 1n) | (1n << 3n) | (1n << 5n) | (1n << 14n), 0);
  section.writeBigUInt64LE(0x1_2345_6000n, 16);
  section.writeUInt16LE(1, 32);
  section.writeUInt16LE(4, 36);
  section.writeUInt8(3, 72);
  return section;
}

/** struct acpi_hest_generic_status with one entry. */
function bootRegion(): Buffer {
  const section = memorySection();
  const header = Buffer.alloc(20);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(64 + section.length, 12);
  header.writeUInt32LE(1, 16);
  const entry = Buffer.alloc(64);
  guidBytes(memoryGuid).copy(entry, 0);
  entry.writeUInt32LE(1, 16);
  entry.writeUInt16LE(0x201, 20);
  entry.writeUInt32LE(section.length, 24);
  return Buffer.concat([header, entry, section, Buffer.alloc(64)]);
}

test('records of firmware as bytes: ERST and BERT', () => {
  const [boot] = bootErrors(bootRegion());
  assert.deepEqual(
    [boot!.severity, boot!.unit, boot!.address, boot!.location],
    ['fatal', 'memory', '0x123456000', 'node: 1 module: 4'],
  );
  assert.match(boot!.what, /multi-bit ECC \(in the boot before\)/);
  const record = cperRecord(memoryGuid, 1717236000, memorySection());
  const [error] = cperErrors(record);
  assert.equal(error?.address, '0x123456000');
});

test('bytes and lines that are damaged are read to where they make sense', () => {
  const region = bootRegion();
  const record = cperRecord(memoryGuid, 1717236000, memorySection());
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }), fc.nat(400), (flips, length) => {
      for (const image of [region, record]) {
        const damaged = Buffer.from(image).subarray(0, Math.max(1, Math.min(image.length, length)));
        for (const [at, value] of flips) if (at < damaged.length) damaged[at] = value;
        bootErrors(damaged);
        cperErrors(damaged);
        machineCheckOfBytes(damaged);
      }
    }),
    { numRuns: 300 },
  );
});

test("an incident's own words tell which part to change", () => {
  const log = [
    '[  100.000000] mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 7: be00000000800400',
    '[  100.000002] mce: [Hardware Error]: TSC 1234567 ADDR 3f1000 MISC 86',
    '[  100.000003] mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1600000000 SOCKET 0 APIC 4 microcode 2000065',
    '[  100.000005] Kernel panic - not syncing: Fatal machine check',
    '[  200.000000] WARNING: CPU: 0 PID: 1 at kernel/pump.c:1 pump_stop+0x1/0x2',
    '',
  ].join('\n');
  assert.deepEqual(
    findIncidents(log).map((incident) => partsToChange(incident).map((sentence) => sentence.replace(/,.*/, ''))),
    [['The machine died of it (1 error): change the processor with CPU 2 of socket 0'], []],
  );
});
