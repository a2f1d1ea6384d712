// Writes ORC tables in any format from text, one entry a line, in ascending order of address:
//
//   ffffffff81000000 call sp+8
//   ffffffff81000010 call bp+16 bp:prev-sp-16
//   ffffffff81000020 regs sp+0 signal
//   ffffffff81000030 end
//   ffffffff81000040 undefined
import type { OrcRegister } from '../../src/arch/orc_entry.ts';
import type { OrcFormat } from '../../src/debuginfo/orc.ts';

const before71: OrcRegister[] = [
  'undefined',
  'prev-sp',
  'dx',
  'di',
  'bp',
  'sp',
  'r10',
  'r13',
  'bp-indirect',
  'sp-indirect',
];
const since71: OrcRegister[] = [
  'undefined',
  'ax',
  'dx',
  'sp',
  'bp',
  'di',
  'r10',
  'r13',
  'prev-sp',
  'sp-indirect',
  'bp-indirect',
];

/** @param ipsAddress where the first table will lie, since its numbers are relative to their own places */
export function writeOrc(
  format: OrcFormat,
  ipsAddress: bigint,
  text: string,
): { ips: Uint8Array; entries: Uint8Array; count: number } {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const ips = new Uint8Array(lines.length * 4);
  const entries = new Uint8Array(lines.length * 6);
  for (const [i, line] of lines.entries()) {
    const [address, type, ...rest] = line.trim().split(/\s+/);
    const relative = BigInt(`0x${address}`) - (ipsAddress + BigInt(i * 4));
    new DataView(ips.buffer).setInt32(i * 4, Number(BigInt.asIntN(64, relative)), true);
    entries.set(encode(format, type!, rest), i * 6);
  }
  return { ips, entries, count: lines.length };
}

function encode(format: OrcFormat, type: string, words: string[]): Uint8Array {
  const registers = format === '7.1' ? since71 : before71;
  let sp = 0;
  let bp = 0;
  let spOffset = 0;
  let bpOffset = 0;
  let signal = false;
  for (const word of words) {
    const rule = /^(bp:)?([a-z0-9]+(?:-[a-z]+)?)([+-]\d+)?$/.exec(word);
    if (word === 'signal') signal = true;
    else if (rule !== null && rule[1] !== undefined) {
      bp = registers.indexOf(rule[2] as OrcRegister);
      bpOffset = Number(rule[3] ?? 0);
    } else if (rule !== null) {
      sp = registers.indexOf(rule[2] as OrcRegister);
      spOffset = Number(rule[3] ?? 0);
    }
  }
  let flags = sp | (bp << 4);
  if (format === '6.4' || format === '7.1') {
    flags |= ['undefined', 'end', 'call', 'regs', 'regs-partial'].indexOf(type) << 8;
    if (signal) flags |= 0x800;
  } else {
    flags |= Math.max(0, ['call', 'regs', 'regs-partial'].indexOf(type)) << 8;
    if (type === 'end') flags |= format === '6.3' ? 0x800 : 0x400;
    if (signal && format === '6.3') flags |= 0x400;
  }
  const bytes = new Uint8Array(6);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, spOffset, true);
  view.setInt16(2, bpOffset, true);
  view.setUint16(4, flags, true);
  return bytes;
}
