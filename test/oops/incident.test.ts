// What is read out of a report besides its title: everything a person or a collector asks next.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { SearchedText } from '../../src/oops/byte_search.ts';
import { disassembleCode, parseCode } from '../../src/oops/code_bytes.ts';
import { explain } from '../../src/oops/explain.ts';
import { functionName, makeFrame, parseFrame } from '../../src/oops/frames.ts';
import type { Incident } from '../../src/oops/incident.ts';
import { KeywordFinder } from '../../src/oops/keywords.ts';
import { reportKind } from '../../src/oops/kinds.ts';
import { renderIncident } from '../../src/oops/render.ts';
import { findIncidents } from '../../src/oops/scanner.ts';
import { similarity } from '../../src/oops/signature.ts';
import { checkFrame, checkIncident, type Symbolizer } from '../../src/oops/symbolizer.ts';

function corpus(name: string): Incident {
  const [incident] = findIncidents(readFileSync(new URL(`./corpus/${name}.txt`, import.meta.url)));
  assert.ok(incident);
  return incident;
}

test('registers, code, taint, modules, hardware of an x86 oops', () => {
  const incident = corpus('null-x86');
  assert.equal(incident.architecture, 'x86_64');
  assert.equal(incident.kernelRelease, '6.1.0-13-amd64');
  assert.match(incident.hardware!, /^QEMU Standard PC/);
  assert.deepEqual(incident.taint, { text: '', flags: [] });
  assert.equal(incident.faultAddress, '0x8');
  assert.equal(incident.dieCount, 1);
  const value = (name: string): string | undefined =>
    incident.registers.find((register) => register.name === name)?.value;
  assert.equal(value('RSP'), '0xffffb2a5c0d3bc98');
  assert.equal(value('RDI'), '0xffff9ad78eec1590');
  assert.equal(value('CR2'), '0x8');
  assert.equal(value('RAX'), '0x0', "the kernel's registers, not the user's");
  assert.equal(incident.code!.values[incident.code!.fault!], 0x48);
  assert.deepEqual(incident.modules[0], { name: 'foo_drv', flags: 'OE' });
  assert.equal(incident.modules.length, 6);
  assert.deepEqual(
    incident.traces.map((trace) => [trace.purpose, trace.stack, trace.frames.length]),
    [['main', 'task', 6]],
  );
  assert.deepEqual(
    incident.traces[0]!.frames[2],
    makeFrame({ symbol: 'filemap_map_pages', offset: 0x150, size: 0x710, reliable: false }),
  );
  assert.ok(incident.hints.some((hint) => hint.includes('offset 0x8 into a structure')));
});

test('taint letters and their meanings', () => {
  const incident = corpus('null-x86-new');
  assert.equal(incident.taint!.text, 'GW');
  assert.deepEqual(incident.taint!.flags, [{ letter: 'W', meaning: 'a warning was issued before' }]);
  assert.equal(incident.workqueue, 'kblockd blk_mq_timeout_work');
  assert.equal(incident.task!.uid, 0);
});

test('arm64 registers and code words', () => {
  const incident = corpus('null-arm64');
  assert.equal(incident.architecture, 'arm64');
  assert.equal(incident.registers.find((register) => register.name === 'x27')?.value, '0x1');
  assert.equal(incident.code!.unit, 'word');
  assert.equal(incident.code!.values[incident.code!.fault!], 0xf9400260);
});

test('allocation and free traces are kept apart from the access', () => {
  const incident = corpus('kasan-uaf-read');
  const by = (purpose: string): (string | null)[] =>
    incident.traces
      .filter((trace) => trace.purpose === purpose)
      .flatMap((trace) => trace.frames.map((frame) => frame.symbol));
  assert.ok(by('main').includes('demo_poll'));
  assert.ok(by('allocated').includes('demo_create'));
  assert.ok(by('freed').includes('demo_destroy'));
  assert.ok(!by('main').includes('demo_destroy'));
  const inline = incident.traces[0]!.frames[0]!;
  assert.deepEqual(inline, makeFrame({ symbol: '__dump_stack', source: 'lib/dump_stack.c:94', inline: true }));
});

test('a panic that only follows is a field, not a second incident, and its trace is told apart', () => {
  const incident = corpus('soft-lock');
  assert.equal(incident.panic, 'softlockup: hung tasks');
  assert.ok(incident.fatal);
  assert.ok(incident.traces.some((trace) => trace.purpose === 'panic' && trace.stack === 'irq'));
});

test('held locks, with who and where', () => {
  const incident = corpus('sleeping');
  assert.deepEqual(incident.locks[1], {
    name: 'rcu_read_lock',
    at: 'foo_list+0x10/0x40',
    task: { comm: 'sh', pid: 1395, uid: null },
  });
});

test('further hung tasks are named', () => {
  const incident = corpus('hung-two-panic');
  assert.deepEqual(incident.otherTasks, [{ comm: 'foo_thread', pid: 1397, uid: null }]);
  assert.equal(incident.cpu, null, "khungtaskd's CPU is not the hung task's");
});

test('the out-of-memory tables and the victim', () => {
  const incident = corpus('oom-kill');
  assert.deepEqual(incident.otherTasks, [{ comm: 'hog', pid: 1368, uid: null }]);
  assert.ok(incident.memory.some((line) => line.includes('rss pgtables_bytes')));
  assert.ok(incident.memory.some((line) => line.startsWith('Node 0 DMA')));
});

test('the message of a WARN() is its detail and an alternative title', () => {
  const incident = corpus('warn-x86');
  assert.equal(incident.detail, 'NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out');
  assert.ok(incident.altTitles.includes('WARNING: NETDEV WATCHDOG: eth0 (e1000e): transmit queue NUM timed out'));
});

test('poison in a faulting address is named', () => {
  assert.ok(corpus('gpf-x86').hints.some((hint) => hint.includes('after it was freed')));
  assert.ok(corpus('gpf-kasan-null').hints.some((hint) => hint.includes('null-ptr-deref')));
  assert.ok(corpus('null-fnptr').hints.some((hint) => hint.includes('NULL function pointer')));
});

test('an address that the kernel does not tell is none', () => {
  const log =
    '<0>[    1.000000] BUG: TASK stack guard page was hit at %s (stack is ffffc90000d98000..ffffc90000d9c000)\n';
  const addresses = ['ffffc90000d97ff8', '(____ptrval____)', '(ptrval)', '#fffc90000d97ff8', 'ffffc90000d97ff8ff'].map(
    (address) => findIncidents(Buffer.from(log.replace('%s', address))).map((incident) => incident.faultAddress),
  );
  assert.deepEqual(addresses, [['0xffffc90000d97ff8'], [null], [null], [null], [null]]);
});

test('what follows a panic in the same boot is its aftermath', () => {
  const incident = corpus('warn-after-panic');
  assert.equal(incident.aftermath.length, 1);
  assert.match(incident.aftermath[0]!, /set_task_cpu/);
});

test('the same bug in another build and another transport has the same signature', () => {
  const plain = corpus('null-x86');
  for (const name of ['null-x86--kmsg', 'null-x86']) {
    let other: Incident;
    try {
      other = corpus(name);
    } catch {
      continue;
    }
    assert.equal(other.signature, plain.signature);
  }
  const text = readFileSync(new URL('./corpus/null-x86.txt', import.meta.url), 'utf8');
  const rebuilt = text
    .replaceAll('foo_poll+0x1c/0x80', 'foo_poll.isra.0+0x24/0x91')
    .replaceAll('foo_write+0x7e/0x3e0', 'foo_write.constprop.3.cold+0x11/0x40')
    .replaceAll('? filemap_map_pages+0x150/0x710', '? handle_mm_fault+0x1/0x2')
    .replaceAll('1395', '77')
    .replaceAll('6.1.0-13-amd64', '6.1.0-14-amd64');
  assert.equal(findIncidents(rebuilt)[0]!.signature, plain.signature);
});

test('different bugs have different signatures, and likeness is a number', () => {
  const names = [
    'null-x86',
    'gpf-x86',
    'bug-x86',
    'warn-x86',
    'kasan-uaf-read',
    'soft',
    'hung',
    'panic-plain',
    'divide',
  ];
  const incidents = names.map(corpus);
  assert.equal(new Set(incidents.map((incident) => incident.signature)).size, names.length);
  for (const a of incidents) {
    for (const b of incidents) {
      const value = similarity(a, b);
      assert.ok(a === b ? value === 1 : value < 0.5, `${a.title} / ${b.title}: ${value}`);
      assert.equal(value, similarity(b, a));
    }
  }
  const text = readFileSync(new URL('./corpus/null-x86.txt', import.meta.url), 'utf8');
  const near = findIncidents(text.replaceAll('vfs_write+', 'vfs_writev+'))[0]!;
  const value = similarity(corpus('null-x86'), near);
  assert.ok(value > 0.6 && value < 1, `${value}`);
});

test('reportKind reads what sanitizers say', () => {
  assert.equal(
    reportKind({ kind: 'kasan', message: 'BUG: KASAN: slab-use-after-free in f', detail: null }),
    'use-after-free',
  );
  assert.equal(reportKind({ kind: 'kasan', message: 'BUG: KASAN: null-ptr-deref in f', detail: null }), 'null-pointer');
  assert.equal(reportKind({ kind: 'kasan', message: 'BUG: KASAN: slab-out-of-bounds in f', detail: null }), 'BUG');
  assert.equal(
    reportKind({ kind: 'refcount', message: 'WARNING', detail: 'refcount_t: underflow; use-after-free.' }),
    'use-after-free',
  );
  assert.equal(reportKind({ kind: 'lockdep', message: '', detail: null }), 'WARN');
});

test('frames in all their forms', () => {
  const cases: [string, Partial<ReturnType<typeof parseFrame>>][] = [
    [' vfs_write+0xc7/0x3f0', { symbol: 'vfs_write', offset: 0xc7, size: 0x3f0, reliable: true }],
    [' ? vfs_write+0xc7/0x3f0', { reliable: false }],
    [' foo+0x1/0x2 [bar]', { module: 'bar' }],
    [
      ' foo+0x1/0x2 [bar 0123456789abcdef0123456789abcdef01234567]',
      { module: 'bar', buildId: '0123456789abcdef0123456789abcdef01234567' },
    ],
    [' [<ffffffff81000001>] ? foo+0x1/0x2', { address: '0xffffffff81000001', reliable: false }],
    [
      '[c00000003ffe3910] [c0000000000f39f0] foo+0xf0/0x2c0 (unreliable)',
      { address: '0xc0000000000f39f0', reliable: false },
    ],
    [' foo+0x1/0x2 fs/x.c:12 [inline]', { source: 'fs/x.c:12', inline: true }],
    [' foo fs/x.c:12 [inline]', { symbol: 'foo', source: 'fs/x.c:12', inline: true }],
    ['[<     inline     >] foo fs/x.c:12', { symbol: 'foo', source: 'fs/x.c:12', inline: true }],
    [' foo (fs/x.c:12 include/y.h:3) bar', { symbol: 'foo', source: 'fs/x.c:12', module: 'bar' }],
    [' el1h_64_sync+0x6c/0x70 (P)', { symbol: 'el1h_64_sync', reliable: true }],
    [' 0xffffffffc0debabe', { symbol: null, address: '0xffffffffc0debabe' }],
    ['[<c05a1b38>] (foo) from [<c0174e14>] (bar+0x54/0x1c4)', { symbol: 'foo', address: '0xc05a1b38' }],
    [' foo from bar+0x54/0x1c4', { symbol: 'foo' }],
    [' foo.cold+0x1/0x2', { symbol: 'foo.cold' }],
  ];
  for (const [text, expected] of cases) {
    const frame = parseFrame(text, true);
    assert.ok(frame, text);
    for (const [key, value] of Object.entries(expected as object)) {
      assert.deepEqual((frame as unknown as Record<string, unknown>)[key], value, `${key} of ${text}`);
    }
  }
  assert.equal(parseFrame('usb 1-1: device number 5', true), null);
  assert.equal(parseFrame(' drivers are loaded', true), null);
});

test('compiler suffixes are no part of a function', () => {
  assert.equal(functionName('foo.isra.0.cold'), 'foo');
  assert.equal(functionName('foo.constprop.12'), 'foo');
  assert.equal(functionName('foo.llvm.1234567890123456789'), 'foo');
  assert.equal(functionName('__pfx_foo'), 'foo');
  assert.equal(functionName('foo'), 'foo');
  assert.equal(functionName('.foo'), 'foo');
});

test('code is decoded from an instruction boundary, so that the faulting one is an instruction', () => {
  const code = parseCode(' 90 90 0f 1f 44 00 00 48 8b 17 48 63 47 08 <48> 03 82 40 02 00 00 c3 cc')!;
  const lines = disassembleCode(code);
  const fault = lines.find((instruction) => instruction.fault)!;
  assert.equal(fault.text, 'add 0x240(%rdx),%rax');
  assert.equal(fault.offset, 0);
  assert.equal(lines.find((instruction) => instruction.offset === -4)?.text, 'movslq 0x8(%rdi),%rax');
  assert.equal(parseCode(' Unable to access opcode bytes at 0xffffffffc031dfe2.'), null);
  assert.equal(parseCode('Bad RIP value.'), null);
});

test('code around a fault follows a branch target only when the address is known', () => {
  const code = parseCode('<e8> 00 00 00 00 90')!;
  assert.equal(disassembleCode(code, 0xffffffff81000000n)[0]!.text, 'call 0xffffffff81000005');
});

test('a dump can contradict the text', () => {
  const symbolizer: Symbolizer = {
    find: (name) =>
      name === 'vfs_write'
        ? [{ address: 0x1000n, size: 0x3f0 }]
        : name === 'foo_poll'
          ? [{ address: 0x9000n, size: 0x10 }]
          : [],
    followsCall: (address) => address !== 0x1000n + 0xc7n,
    source: () => [{ file: 'fs/read_write.c', line: 500 }],
  };
  const frame = makeFrame({ symbol: 'vfs_write', offset: 0xc7, size: 0x3f0 });
  assert.deepEqual(checkFrame(frame, symbolizer, false), {
    frame,
    verdict: 'no-call',
    address: 0x10c7n,
    source: [{ file: 'fs/read_write.c', line: 500 }],
  });
  assert.equal(checkFrame(frame, symbolizer, true).verdict, 'fits');
  const verdicts = checkIncident(corpus('null-x86'), symbolizer).map((check) => check.verdict);
  assert.equal(verdicts[0], 'outside', 'foo_poll+0x1c lies beyond its 16 bytes');
  assert.ok(verdicts.includes('no-symbol'));
});

test('a person is told who, where, why and what next', () => {
  const text = renderIncident(corpus('null-x86'), { sysctls: new Map([['kernel.panic_on_oops', '1']]) });
  assert.match(text, /^BUG: unable to handle kernel NULL pointer dereference in foo_poll\n/);
  assert.match(text, /task +sh \(pid 1395\) on CPU 1/);
  assert.match(text, /=> +\+0x0 +4803 ?82/);
  assert.match(text, /kernel\.panic_on_oops = 1:/);
  assert.match(text, /dis -lr foo_poll\+0x1c/);
  assert.ok(!renderIncident(corpus('null-x86'), { brief: true }).includes('Meaning'));
});

test('every kind is explained', () => {
  for (const name of ['mce-panic', 'netdev', 'lockdep-circular', 'serror', 'panic-vfs', 'oom-kill', 'kmemleak']) {
    const explanation = explain(corpus(name));
    assert.ok(explanation.meaning.length > 20 && explanation.causes.length > 0 && explanation.next.length > 0);
    assert.ok(!explanation.next.some((step) => step.includes('%')), explanation.next.join('; '));
  }
});

test('keywords are found wherever they stand, and only there', () => {
  const finder = new KeywordFinder(['where', 'here', 'BUG:', '[#1]']);
  const text = 'ab\nxx somewhere\n[#1] BU\nG: HERE';
  const bytes = Buffer.from(text);
  const searched = SearchedText.take(bytes, 0, bytes.length);
  const find = (from: number, to: number): number => {
    const quick = finder.find(bytes, from, to, searched);
    assert.equal(quick < 0, finder.find(bytes, from, to, null) < 0);
    return quick;
  };
  const first = find(0, bytes.length);
  assert.ok(first >= text.indexOf('where') && first < text.indexOf('where') + 5);
  const second = find(text.indexOf('\n', first), bytes.length);
  assert.ok(second >= text.indexOf('[#1]') && second < text.indexOf('[#1]') + 4);
  assert.equal(find(text.indexOf(' BU'), bytes.length), -1);
  assert.equal(find(0, text.indexOf('where') + 3), -1, 'a word that is cut is none');
  assert.ok(finder.occursIn('nowhere') && finder.occursIn('\u4e2dBUG:') && !finder.occursIn('users\u4e2d[x#'));
  assert.throws(() => new KeywordFinder(['abc']), RangeError);
});

test('every line in which a word stands is found, wherever the text is cut', () => {
  const finder = new KeywordFinder(['BUG:', 'Oops: ', 'stack overflow']);
  const part = fc.constantFrom(
    'BUG:',
    'BUG',
    ':',
    'Oops: ',
    'Oops:',
    ' ',
    'stack overflow',
    'stack',
    'x',
    '\n',
    'G: BU',
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 30 }),
      fc.string({ maxLength: 20, unit: fc.constantFrom('x', '\n', 'BUG:') }),
      (parts, before) => {
        const text = parts.join('');
        const bytes = Buffer.from(`${before}${text}`);
        const from = before.length;
        const searched = SearchedText.take(bytes, from, bytes.length);
        const line = text.split('\n').findIndex((one) => /BUG:|Oops: |stack overflow/.test(one));
        for (const how of [searched, null]) {
          const hit = finder.find(bytes, from, bytes.length, how);
          assert.equal(hit < 0 ? -1 : text.slice(0, hit - from).split('\n').length - 1, line);
        }
        assert.equal(searched?.lines(from, bytes.length), text.split('\n').length - 1);
        assert.equal(finder.occursIn(text), line >= 0);
      },
    ),
  );
});

test('data says null for what the text does not, and 0x... for addresses and values of registers', () => {
  const holes = (value: unknown, path: string): string[] =>
    value === undefined
      ? [path]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => holes(inner, `${path}.${key}`))
        : [];
  const keys = Object.keys(corpus('null-x86')).sort();
  for (const name of ['null-x86', 'null-arm64', 'soft-lock', 'oom-kill', 'lockdep-circular', 'panic-vfs', 'kcsan']) {
    const incident = corpus(name);
    assert.deepEqual(holes(incident, name), []);
    assert.deepEqual(Object.keys(incident).sort(), keys);
    const frames = incident.traces.flatMap((trace) => trace.frames);
    for (const address of [incident.faultAddress, ...frames.map((frame) => frame.address)])
      assert.match(address ?? '0x0', /^0x(?:0|[1-9a-f][0-9a-f]{0,15})$/);
    for (const { value } of incident.registers) assert.match(value, /^0x[0-9a-f]{1,16}$/);
  }
});
