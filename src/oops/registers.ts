// The state of the CPU that a report is about, as show_regs() prints it: the instruction it was at, its registers, the
// bytes of the code there. Fills `instruction`, `registers`, `code` and `architecture`.
import { parseCode } from './code_bytes.ts';
import { type Frame, hexadecimal, makeFrame, parseFrame } from './frames.ts';
import type { OpenIncident } from './incident.ts';
import type { Sections } from './sections.ts';
import { instructionLine, linkLine, registerLine, registerToken } from './shapes.ts';
import type { Traces } from './traces.ts';

const maxRegisters = 64;
/** A line of x86-64's registers, as most are. */
const threeRegisters =
  /^([A-Z][A-Z\d]{1,2}): ([\da-f]{16}) ([A-Z][A-Z\d]{1,2}): ([\da-f]{16}) ([A-Z][A-Z\d]{1,2}): ([\da-f]{16})$/;

export class Registers {
  /** A line was read that only the kernel's own reports have. */
  proven = false;
  /**
   * Where the link register points: the caller of a function that calls nothing, which on machines with such a register has no
   * frame and so is missing in the trace.
   */
  link: Frame | null = null;
  private readonly incident: OpenIncident;
  private readonly traces: Traces;
  private readonly sections: Sections;
  /** The registers that come now are those of user space. */
  private userMode = false;
  /** Where in the traces the block of registers stands that was read last. */
  private block = -1;

  constructor(incident: OpenIncident, traces: Traces, sections: Sections) {
    this.incident = incident;
    this.traces = traces;
    this.sections = sections;
  }

  /** Reads a line with the instruction pointer or with registers. */
  read(text: string): boolean {
    const c = text.charAt(0);
    if ('lLrR '.includes(c)) this.readLink(text);
    const m = 'RNEIpePK'.includes(c) ? instructionLine.exec(text) : null;
    if (m !== null && this.readInstruction(text, m[1]!)) return true;
    if (!registerLine.test(text)) return false;
    this.readValues(text);
    return true;
  }

  /** @param bytes what stands after `Code:` */
  readCode(bytes: string): void {
    this.proven = true;
    if (this.incident.code !== null || this.userMode || this.sections.othersCode) return;
    this.incident.code = parseCode(bytes);
  }

  private readLink(text: string): void {
    if (this.link !== null || this.incident.instruction === null) return;
    if (this.userMode || this.sections.othersRegisters) return;
    const link = linkLine.exec(text);
    if (link !== null) this.link = parseFrame(` ${link[1]}`, false);
  }

  private readInstruction(text: string, value: string): boolean {
    if (/^RIP {2}/.test(text)) return true; // repeated at the end of older oopses
    this.userMode = /^(?:RIP: {1,2}(?:00(?:33|23)|e033):|EIP: 0073:)/.test(text);
    if (this.userMode) return true;
    const frame = instructionFrame(value);
    if (frame === null) return false;
    this.proven = true;
    const { incident, traces, sections } = this;
    if (traces.addInterrupted(frame)) return true;
    const known = incident.instruction;
    if (sections.othersRegisters && (!sections.ofStalledCpu || known !== null)) return true;
    // a symbolised report has a line for each function that was inlined into the next
    if (known === null || known.inline || (known.symbol === null && frame.symbol !== null && !traces.hasFrames)) {
      incident.instruction = frame;
      this.block = traces.breaks;
      if (/^(?:pc|PC)\b/.test(text)) incident.architecture ??= /^pc : /.test(text) ? 'arm64' : 'arm';
      if (/^RIP/.test(text)) incident.architecture ??= 'x86_64';
      if (/^EIP/.test(text)) incident.architecture ??= 'i386';
      if (/^NIP/.test(text)) incident.architecture ??= 'powerpc';
      if (/^epc/.test(text)) incident.architecture ??= /^epc {2}/.test(text) ? 'mips' : 'riscv';
    }
    return true;
  }

  private readValues(text: string): void {
    const { incident, traces } = this;
    const { registers } = incident;
    if (this.sections.othersRegisters) return;
    const goesOn = this.block === traces.breaks;
    // after the first block come those of others, and user space's at the end of a trace
    if (!goesOn && (registers.length > 0 || (traces.open && traces.hasFrames))) return;
    this.block = traces.breaks;
    const three = threeRegisters.exec(text);
    if (three !== null) for (let i = 1; i < 7; i += 2) this.addValue(three[i]!, three[i + 1]!);
    else {
      registerToken.lastIndex = 0;
      for (
        let m = registerToken.exec(text);
        m !== null && registers.length < maxRegisters;
        m = registerToken.exec(text)
      ) {
        this.addValue(m[1]!, m[2]![4] === ':' ? m[2]!.slice(5) : m[2]!);
        if (/^x\d/.test(m[1]!)) incident.architecture ??= 'arm64';
      }
    }
    this.proven = true;
  }

  private addValue(name: string, digits: string): void {
    const { registers } = this.incident;
    if (registers.length >= maxRegisters) return;
    for (const register of registers) if (register.name === name) return;
    registers.push({ name, value: hexadecimal(digits) });
  }
}

function instructionFrame(value: string): Frame | null {
  const body = value
    .replace(/^(?:\[<?[0-9a-f]{8,16}>?\]\s{0,4}){1,2}/, '')
    .replace(/^(?:[0-9a-f]{8,16} ){1,2}\((.{1,300})\)$/, '$1') // s390 has the PSW's two words
    .replace(/^(?:[0-9a-f]{8}|[0-9a-f]{16}) (?=[A-Za-z_.][\w.$]{0,255}\+0x)/, ''); // and mips the address
  const frame = parseFrame(` ${body}`, true);
  if (frame !== null) return frame;
  const address = /^(?:0x)?([0-9a-f]{1,16})\b/.exec(body)?.[1] ?? (/\(null\)/.test(body) ? '0' : undefined);
  return address === undefined ? null : makeFrame({ address: hexadecimal(address) });
}
