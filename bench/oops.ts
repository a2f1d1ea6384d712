// How fast log text is searched for incidents: MB/s and peak memory on a mixed log made here (boot messages and chatter with
// one report in every few thousand lines). Usage: node bench/oops.ts [megabytes] [log file to repeat instead]
import { readFileSync } from 'node:fs';
import { LogScanner } from '../src/oops/scanner.ts';

const megabytes = Number(process.argv[2] ?? 100);
const file = process.argv[3];

function mixed(): string {
  const lines: string[] = [];
  let t = 10;
  const stamp = (): string => {
    t += 0.003;
    return `[${t.toFixed(6).padStart(12)}] `;
  };
  for (let i = 0; i < 4000; i++) {
    switch (i % 5) {
      case 0:
        lines.push(`${stamp()}usb 1-${i % 7}: new high-speed USB device number ${i % 120} using xhci_hcd`);
        break;
      case 1:
        lines.push(
          `${stamp()}audit: type=1400 audit(1717236000.${i}:${i}): apparmor="STATUS" operation="profile_load" name="p${i}"`,
        );
        break;
      case 2:
        lines.push(`${stamp()}IPv6: ADDRCONF(NETDEV_CHANGE): veth${i}: link becomes ready`);
        break;
      case 3:
        lines.push(
          `Jun  1 12:00:00 host sshd[${i}]: Accepted publickey for root from 10.0.0.${i % 250} port ${i} ssh2`,
        );
        break;
      default:
        lines.push(`${stamp()}EXT4-fs (sda${i % 4}): mounted filesystem with ordered data mode. Quota mode: none.`);
    }
  }
  const s = stamp().trim();
  lines.push(
    `${s} BUG: kernel NULL pointer dereference, address: 0000000000000240`,
    `${s} #PF: supervisor read access in kernel mode`,
  );
  lines.push(`${s} Oops: 0000 [#1] PREEMPT SMP NOPTI`, `${s} CPU: 1 PID: 1395 Comm: sh Not tainted 6.1.0 #1`);
  lines.push(`${s} RIP: 0010:update_stats+0xc/0x20 [demo]`, `${s} Call Trace:`, `${s}  <TASK>`);
  for (let i = 0; i < 20; i++) lines.push(`${s}  function_${i}+0x1${i}/0x200`);
  lines.push(`${s}  </TASK>`, `${s} ---[ end trace 0000000000000000 ]---`, '');
  return lines.join('\n');
}

const text = Buffer.from(file === undefined ? mixed() : readFileSync(file));
const scanner = new LogScanner();
let bytes = 0;
let incidents = 0;
const start = performance.now();
while (bytes < megabytes * 1e6) {
  incidents += scanner.push(text).length;
  bytes += text.length;
}
incidents += scanner.end().length;
const seconds = (performance.now() - start) / 1000;
const rss = process.resourceUsage().maxRSS / 1024;
console.log(
  `${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(2)} s: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ${incidents} incidents, peak ${rss.toFixed(0)} MB`,
);
