// The code that a log shows around the instruction that faulted, disassembled: of a dump, `dis` shows it.
import type { Decoder } from '../arch/decoder.ts';
import { virtAddr } from '../base/address.ts';
import type { Line } from '../commands/command.ts';
import { draw, type ShownOutput } from '../commands/shown.ts';
import { type CodeBytes, disassembleCode } from '../oops/code_bytes.ts';
import type { Facts } from './facts.ts';

/** Instructions that are shown before and after the one that faulted. */
const [before, after] = [8, 5];

interface ToldInstruction {
  /** Bytes from the instruction that faulted; negative before it. */
  readonly offset: number;
  readonly text: string;
  readonly fault: boolean;
}

/** Null where the log has no code, or none that is about the death. */
export function toldCode({ death, kernel }: Facts): ShownOutput | null {
  if (death?.code == null || death.instruction?.symbol == null) return null;
  const { code, instruction } = death;
  const all = code.unit === 'word' ? words(code, kernel.arch.decoder) : disassembleCode(code);
  const at = all.findIndex(({ fault }) => fault);
  if (at < 0) return null;
  // what lies before the function, and behind its end, is another's
  const { offset: into, size } = instruction;
  const isOwn = (offset: number): boolean =>
    into === null || (into + offset >= 0 && (size === null || into + offset < size));
  const data = all
    .slice(Math.max(0, at - before), at + after + 1)
    .filter(({ offset }) => isOwn(offset))
    .map(({ offset, text, fault }) => ({ offset, text, fault }));
  const place = (offset: number): string =>
    into === null ? `${offset < 0 ? '-' : '+'}${Math.abs(offset)}` : `<${instruction.symbol}+${into + offset}>`;
  const lines = data.map(
    ({ offset, text, fault }): Line => ({ text: `${place(offset)}:\t${text}`, at: fault ? 'instruction' : null }),
  );
  return { command: 'oops', name: 'oops', data, marks: ['instruction'], [draw]: () => lines };
}

/** Machines whose instructions are words: their bytes in memory are the lowest first. */
function words({ values, fault }: CodeBytes, decoder: Decoder | null): ToldInstruction[] {
  const bytes = new Uint8Array(Uint32Array.from(values).buffer);
  const decoded = decoder === null ? [] : [...decoder.text(bytes, virtAddr(0n))];
  return values.map((word, i) => ({
    offset: (i - (fault ?? 0)) * 4,
    text: decoded.length === values.length ? decoded[i]!.text : `.word 0x${word.toString(16).padStart(8, '0')}`,
    fault: i === fault,
  }));
}
