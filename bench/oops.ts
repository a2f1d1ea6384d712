// How fast log text is searched for incidents, in MB a second of CPU time, and what memory it takes:
//
//   quiet    boot messages and chatter, no incident
//   sparse   a report in every 50 KB: 20,000 in a gigabyte
//   dense    reports one after another: every one of test/oops/reports in turn, each with values of its own
//   loop     one bug that comes again and again, at fifty places
//
// Usage: node bench/oops.ts [quiet|sparse|dense|loop|FILE] [megabytes]     FILE: a log that is read again and again
import { readFileSync } from 'node:fs';
import { keepHeapSmall } from '../src/cli/source.ts';
import { LogScanner } from '../src/oops/scanner.ts';
import { allTexts } from '../test/oops/reports/index.ts';

let time = 10;
const stamp = (): string => {
  time += 0.003;
  return `[${time.toFixed(6).padStart(12)}] `;
};

function chatter(i: number): string {
  switch (i % 5) {
    case 0:
      return `${stamp()}usb 1-${i % 7}: new high-speed USB device number ${i % 120} using xhci_hcd`;
    case 1:
      return `${stamp()}audit: type=1400 audit(1717236000.${i}:${i}): apparmor="STATUS" operation="profile_load" name="p${i}"`;
    case 2:
      return `${stamp()}IPv6: ADDRCONF(NETDEV_CHANGE): veth${i}: link becomes ready`;
    case 3:
      return `Jun  1 12:00:00 host sshd[${i}]: Accepted publickey for root from 10.0.0.${i % 250} port ${i} ssh2`;
    default:
      return `${stamp()}EXT4-fs (sda${i % 4}): mounted filesystem with ordered data mode. Quota mode: none.`;
  }
}

function report(i: number): string[] {
  const s = stamp();
  return [
    `${s}BUG: kernel NULL pointer dereference, address: 0000000000000240`,
    `${s}#PF: supervisor read access in kernel mode`,
    `${s}#PF: error_code(0x0000) - not-present page`,
    `${s}PGD 0 P4D 0 `,
    `${s}Oops: 0000 [#1] PREEMPT SMP NOPTI`,
    `${s}CPU: 1 PID: 1395 Comm: sh Not tainted 6.1.0 #1`,
    `${s}Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-1 04/01/2014`,
    `${s}RIP: 0010:update_stats_${i % 50}+0xc/0x20 [demo]`,
    `${s}Code: 48 89 e5 41 57 41 56 41 55 41 54 53 48 83 ec 28 <48> 8b 47 08 48 85 c0 74 1c`,
    `${s}RSP: 0018:ffffb2a5c0d3bc98 EFLAGS: 00010246`,
    `${s}RAX: 0000000000000000 RBX: 000000000000002a RCX: 0000000000000000`,
    `${s}RDX: 0000000000000000 RSI: 000000000000002a RDI: ffff9ad78eec1590`,
    `${s}FS:  00000000076563c0(0000) GS:ffff9ad7fbd00000(0000) knlGS:0000000000000000`,
    `${s}CR2: 0000000000000240 CR3: 000000001fd98000 CR4: 0000000000750ee0`,
    `${s}Call Trace:`,
    `${s} <TASK>`,
    ...Array.from({ length: 20 }, (_, n) => `${s} ${n % 7 === 3 ? '? ' : ''}function_${n}+0x1${n}/0x200`),
    `${s} </TASK>`,
    `${s}Modules linked in: demo(OE) virtio_net net_failover failover virtio_blk`,
    `${s}---[ end trace 0000000000000000 ]---`,
  ];
}

let state = 1;
/** Digits that are the same in every run, and no two alike. */
function digits(count: number): string {
  let text = '';
  while (text.length < count) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    text += (state >>> 8).toString(16).padStart(6, '0').slice(-4);
  }
  return text.slice(0, count);
}

const spoken = allTexts.filter(({ kind, lines }) => kind !== null && !/^\[ /.test(lines[0]!));

/** A report of the corpus by turns, with registers, addresses of data, process and CPU of its own. */
function spokenReport(i: number): string[] {
  const s = stamp();
  const pid = 2 + ((i * 7919) % 30_000);
  return spoken[(i * 389) % spoken.length]!.lines.map(
    (line) =>
      s +
      line
        .replace(/(?<=\b[A-Za-z][A-Za-z0-9]{1,2}\s?: (?:\d{4}:)?|\baddr(?:ess)?:? )[0-9a-f]{8,16}\b/g, (old) =>
          /^0*$/.test(old) ? old : old.slice(0, 4) + digits(old.length - 4),
        )
        .replace(/\bPID: \d+/, `PID: ${pid}`)
        .replace(/^CPU: \d/, `CPU: ${i % 8}`),
  );
}

/** So many different pieces of text are read in turn: more than anybody keeps in mind. */
const pieces = 8;
let made = 0;

/** About a megabyte. */
function makeText(kind: string): Buffer {
  const lines: string[] = [];
  for (let size = 0, since = 0; size < 1e6; made++) {
    const i = made;
    const more =
      kind === 'dense'
        ? spokenReport(i)
        : kind === 'loop' || (kind === 'sparse' && since >= 50_000)
          ? report(i)
          : [chatter(i)];
    const length = more.reduce((sum, line) => sum + line.length + 1, 0);
    since = more.length > 1 ? 0 : since + length;
    size += length;
    lines.push(...more);
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

const what = process.argv[2] ?? 'sparse';
const megabytes = Number(process.argv[3] ?? 200);
const texts = ['quiet', 'sparse', 'dense', 'loop'].includes(what)
  ? Array.from({ length: pieces }, () => makeText(what))
  : [readFileSync(what)];
keepHeapSmall();
const scanner = new LogScanner();
let bytes = 0;
let incidents = 0;
const before = process.cpuUsage();
for (let n = 0; bytes < megabytes * 1e6; n++) {
  const text = texts[n % texts.length]!;
  incidents += scanner.push(text).length;
  bytes += text.length;
}
incidents += scanner.end().length;
const used = process.cpuUsage(before);
const seconds = (used.user + used.system) / 1e6;
const rss = process.resourceUsage().maxRSS / 1024;
console.log(
  `${what}: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(2)} s of CPU time: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${incidents} incidents, peak ${rss.toFixed(0)} MB`,
);
