// What a log alone tells of a death, as the facts that a dump would give.
import type { VirtAddr } from '../base/address.ts';
import { virtAddr } from '../base/address.ts';
import { CommandContext } from '../commands/context.ts';
import type { Backtrace, Frame } from '../kernel/backtrace.ts';
import type { LogRecord } from '../kernel/printk_record.ts';
import { fatalIncident } from '../oops/death.ts';
import type { Frame as LogFrame } from '../oops/frames.ts';
import type { Incident } from '../oops/incident.ts';
import { reportKind } from '../oops/kinds.ts';
import { parseLine } from '../oops/log_line.ts';
import { LogScanner } from '../oops/scanner.ts';
import { Facts } from './facts.ts';
import { LogPlaces, logKernel, machineOf } from './log_kernel.ts';
import { kindTraits } from './traits.ts';

/** @param text of a log, from anywhere @param file its name */
export function logFacts(text: Uint8Array, file: string): Facts {
  const scanner = new LogScanner();
  const incidents = [...scanner.push(text), ...scanner.end()].sort((a, b) => a.span.start - b.span.start);
  const death = fatalIncident(incidents);
  const places = new LogPlaces();
  const frames = death === null ? [] : framesOf(death, places);
  const trace: Backtrace = { frames, problem: '' };
  const context = new CommandContext(logKernel(death, places, file, text.length));
  return new Facts(context, { records: recordsOf(text), incidents, death, trace });
}

/** The messages, with their times, line by line: incidents tell where they stand by the number of the line. */
function recordsOf(text: Uint8Array): LogRecord[] {
  return Buffer.from(text.buffer, text.byteOffset, text.length)
    .toString('utf8')
    .split('\n')
    .map((raw, seq) => {
      const [line] = parseLine(raw.replace(/\r$/, ''), 0, 0, seq + 1);
      return {
        seq,
        timestampNs: line?.timestamp === undefined ? null : BigInt(Math.round(line.timestamp * 1e6)) * 1000n,
        level: line?.level ?? null,
        facility: null,
        caller: null,
        text: line?.text ?? '',
        dict: {},
      };
    });
}

/** The exception with its registers, what it interrupted, and what had called that, innermost first. */
function framesOf(death: Incident, places: LogPlaces): Frame[] {
  const frames: Frame[] = [];
  const { instruction } = death;
  const stuck = kindTraits[reportKind(death)].blamed;
  if (instruction !== null && (stuck === 'exception' || stuck === 'stuck')) {
    const registers = registersOf(death, places.addressOf(instruction));
    // entry code is no function of the log's
    if (registers !== null) frames.push({ ...frame(instruction, places), kind: 'entry', place: null, registers });
    frames.push({ ...frame(instruction, places), kind: 'interrupted', registers });
  }
  const main = death.traces.filter(({ purpose }) => purpose === 'main');
  for (const { frames: told } of main.length > 0 ? main : death.traces.filter(({ purpose }) => purpose === 'panic')) {
    for (const one of told) if (!one.inline) frames.push(frame(one, places));
  }
  return frames;
}

function frame(told: LogFrame, places: LogPlaces): Frame {
  const nowhere: VirtAddr = virtAddr(0n);
  return {
    kind: told.interrupted ? 'interrupted' : 'call',
    address: places.addressOf(told),
    place: places.placeOf(told),
    frameAddress: nowhere,
    stackPointer: nowhere,
    stack: 'task',
    registers: null,
    registersAddress: null,
    reliable: told.reliable,
  };
}

/** The registers as the machine calls them; null where the log has none, or its machine is not known. */
function registersOf(death: Incident, at: VirtAddr): Frame['registers'] {
  const machine = machineOf(death);
  if (machine === null || death.registers.length === 0) return null;
  const named: Record<string, bigint> = {};
  for (const { name, value } of death.registers) {
    const own = name.toLowerCase().replace(/^(r|x)0(\d)$/, '$1$2');
    named[aliases[own] ?? own] = BigInt(value);
  }
  const { registers } = machine;
  // what the dying kernel was in
  return { ...registers.at(at, virtAddr(0n)), ...registers.fromNote(named), [registers.programCounter.name]: at };
}

/** What logs call registers that have other names elsewhere. */
const aliases: Readonly<Record<string, string>> = { eflags: 'rflags', lr: 'x30' };
