// Sends what the kernel's netconsole sends: records in extended form, in fragments where they are longer than a packet, and
// basic text in pieces. Written after drivers/net/netconsole.c, send_ext_msg_udp() and write_msg().

/** Of a packet, in bytes: MAX_PRINT_CHUNK. */
const chunk = 1000;

export interface SentRecord {
  readonly sequence: number;
  readonly microseconds: number;
  readonly text: string;
  readonly level?: number;
  readonly flag?: '-' | 'c' | '+';
  readonly caller?: string;
  readonly release?: string;
  /** Lines behind the text: `SUBSYSTEM=pci`. */
  readonly fields?: readonly string[];
}

/** The packets of a record, in order. */
export function extendedPackets(record: SentRecord): Buffer[] {
  const { sequence, microseconds, text, level = 6, flag = '-', caller, release, fields = [] } = record;
  const head = `${release === undefined ? '' : `${release},`}${level},${sequence},${microseconds},${flag}${caller === undefined ? '' : `,caller=${caller}`}`;
  const body = Buffer.from(`${escaped(text)}\n${fields.map((field) => ` ${field}\n`).join('')}`);
  if (head.length + 1 + body.length <= chunk) return [Buffer.concat([Buffer.from(`${head};`), body])];
  const packets: Buffer[] = [];
  for (let offset = 0; offset < body.length; ) {
    const fragmentHead = `${head},ncfrag=${offset}/${body.length};`;
    const room = chunk - fragmentHead.length;
    packets.push(Buffer.concat([Buffer.from(fragmentHead), body.subarray(offset, offset + room)]));
    offset += room;
  }
  return packets;
}

/** kernel/printk/printk.c, msg_add_ext_text(). */
function escaped(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[\x00-\x1f\x7f-\xff\\]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What basic netconsole makes of a console's text. */
export function basicPackets(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  return Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, n) => bytes.subarray(n * chunk, (n + 1) * chunk));
}

/** A death as a kernel prints it, from `microseconds` on. */
export function deathTexts(what = 'demo_open'): string[] {
  return [
    'BUG: kernel NULL pointer dereference, address: 0000000000000010',
    '#PF: supervisor read access in kernel mode',
    'Oops: 0000 [#1] PREEMPT SMP NOPTI',
    'CPU: 0 PID: 1 Comm: init Not tainted 6.12.0 #1',
    `RIP: 0010:${what}+0x10/0x40 [demo]`,
    'Call Trace:',
    ' <TASK>',
    ' do_dentry_open+0x1a0/0x4c0',
    ' vfs_open+0x2d/0x40',
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
    'Kernel panic - not syncing: Fatal exception',
  ];
}
