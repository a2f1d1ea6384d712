// Hardware errors in text: kernel logs, and what mcelog, mce-inject and rasdaemon write. Each writer has a reader of its own;
// a line goes to the first that knows it. Formats: arch/x86/kernel/cpu/mce/core.c (print_mce), drivers/edac/mce_amd.c,
// drivers/edac/edac_mc.c, drivers/pci/pcie/aer.c, drivers/firmware/efi/cper*.c, arch/arm64/kernel/traps.c,
// mm/memory-failure.c; mcelog.c; rasdaemon's ras-*-handler.c.
import { LineReader } from '../../oops/line_reader.ts';
import type { LogLine } from '../../oops/log_line.ts';
import { FirmwareText } from './firmware_text.ts';
import { type HardwareError, type HardwareSeverity, type HardwareUnit, hardwareError } from './hardware_error.ts';
import { describeMachineCheck, type MachineCheck, machineCheckDefaults } from './mca.ts';

/** Errors that are kept of one text. */
const maxErrors = 100_000;

export class HardwareLog {
  readonly errors: HardwareError[] = [];
  /** Errors beyond those that are kept. */
  dropped = 0;
  private readonly lines = new LineReader();
  private readonly checks = new MachineCheckText((error) => this.add(error));
  private readonly firmware = new FirmwareText((error) => this.add(error));
  private readonly pcie = new PcieText((error) => this.add(error));

  push(bytes: Uint8Array): void {
    for (const line of this.lines.push(bytes)) this.line(line);
  }

  end(): void {
    for (const line of this.lines.end()) this.line(line);
    this.checks.end();
    this.firmware.end();
    this.pcie.end();
  }

  private line({ text, wallTime }: LogLine): void {
    // nearly all lines of a log say nothing of hardware
    if (!interesting.test(text) && !this.checks.isOpen && !this.pcie.isOpen) return;
    if (panicked.test(text)) {
      this.checks.end();
      this.died();
      return;
    }
    const time = wallTime === undefined ? Number.NaN : Date.parse(wallTime) / 1000;
    const seconds = Number.isFinite(time) ? time : null;
    if (this.firmware.read(text, seconds) || this.checks.read(text, seconds) || this.pcie.read(text, seconds)) return;
    const error = oneLine(text);
    if (error !== null) this.add({ ...error, time: error.time ?? seconds });
  }

  /** The kernel could not go on after the last machine check, whatever its status says. */
  private died(): void {
    const at = this.errors.findLastIndex(({ source }) => source === 'mce');
    const last = this.errors[at];
    if (last?.severity === 'recoverable') this.errors[at] = { ...last, severity: 'fatal' };
  }

  private add(error: HardwareError): void {
    if (this.errors.length < maxErrors) this.errors.push(error);
    else this.dropped++;
  }
}

const panicked = /^Kernel panic - not syncing: .{0,80}machine check/i;
const interesting =
  /machine check|Hardware Error\]|EDAC |AER: |PCIe Bus Error|MCE |BANK|STATUS|SError|[Ss]ynchronous [Ee]xternal|Memory failure|hardware memory error|mce_record|mc_event|aer_event|arm_event|cxl_|BERT: /;

/** All errors of a text. */
export function hardwareErrors(text: string | Uint8Array): HardwareError[] {
  const log = new HardwareLog();
  log.push(typeof text === 'string' ? Buffer.from(text) : text);
  log.end();
  return log.errors;
}

type Open = { -readonly [K in keyof MachineCheck]: MachineCheck[K] };

const hexNumber = (text: string): bigint => BigInt(`0x${text.replace(/^0x/, '')}`);

/** Machine checks of x86: several lines each. */
class MachineCheckText {
  private readonly tell: (error: HardwareError) => void;
  private open: Open | null = null;
  /** mcelog writes CPU and bank before the rest, the kernel's decoder the status first. */
  private hasStatus = false;

  constructor(tell: (error: HardwareError) => void) {
    this.tell = tell;
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  read(raw: string, time: number | null): boolean {
    const text = raw.replace(/^(?:mce: )?(?:\[Hardware Error\]: )?/, '');
    let m =
      /^CPU (\d{1,6}): Machine Check(?: Exception| Event)?: +([0-9a-f]{1,16}) Bank (\d{1,4}): ([0-9a-f]{1,16})/.exec(
        text,
      );
    if (m !== null) {
      this.begin(Number(m[1]), Number(m[3]), time);
      this.open!.globalStatus = hexNumber(m[2]!);
      this.status(m[4]!);
      return true;
    }
    m =
      /^CPU:(\d{1,6}) \(([0-9a-f]{1,4}):([0-9a-f]{1,4}):([0-9a-f]{1,2})\) MC(\d{1,4})_STATUS\[[^\]]{0,200}\]: 0x([0-9a-f]{1,16})/.exec(
        text,
      );
    if (m !== null) {
      this.begin(Number(m[1]), Number(m[5]), time);
      this.open!.vendor = 'amd';
      this.status(m[6]!);
      return true;
    }
    m = /^CPU (\d{1,6}) (?:\d{1,4} )?BANK (\d{1,4})\b/.exec(text);
    if (m !== null) {
      this.begin(Number(m[1]), Number(m[2]), time);
      return true;
    }
    m = /\bmce_record:.{0,80}?\bbank=(?:\w{0,40}\()?(\d{1,4}).{0,400}?\bstatus= ?(?:0x)?([0-9a-f]{1,16})/.exec(text);
    if (m !== null) {
      const value = (name: string): string | undefined =>
        new RegExp(`\\b${name}= ?(?:0x)?([0-9a-f]{1,16})`).exec(text)?.[1];
      this.begin(numberIn(/\bcpu= ?(\d{1,6})\b/, text) ?? 0, Number(m[1]), time);
      const open = this.open!;
      open.address = value('addr') === undefined ? null : hexNumber(value('addr')!);
      open.misc = value('misc') === undefined ? null : hexNumber(value('misc')!);
      open.ipid = value('ipid') === undefined ? null : hexNumber(value('ipid')!);
      open.globalStatus = value('mcgstatus') === undefined ? null : hexNumber(value('mcgstatus')!);
      open.socket = numberIn(/\bsocketid= ?(\d{1,6})\b/, text);
      open.vendor = /AMD|Zen|K8/i.test(text)
        ? 'amd'
        : /Intel|Xeon|Core|bridge|lake|well/i.test(text)
          ? 'intel'
          : 'other';
      this.status(m[2]!);
      this.end();
      return true;
    }
    return this.open !== null && this.more(text);
  }

  /** Lines that say more of the one that is open. */
  private more(text: string): boolean {
    const open = this.open!;
    let known = false;
    const field = (pattern: RegExp, take: (value: string) => void): void => {
      const m = pattern.exec(text);
      if (m === null) return;
      known = true;
      take(m[1]!);
    };
    const processor = /^PROCESSOR (\d{1,2}):([0-9a-f]{1,8})/.exec(text);
    if (processor !== null) {
      known = true;
      // X86_VENDOR_INTEL, X86_VENDOR_AMD, X86_VENDOR_HYGON
      open.vendor = processor[1] === '0' ? 'intel' : processor[1] === '2' || processor[1] === '9' ? 'amd' : 'other';
      open.cpuid = Number.parseInt(processor[2]!, 16);
    }
    const family = /^CPUID Vendor (\w{1,20}) Family (\d{1,4}) Model (\d{1,4})/.exec(text);
    if (family !== null) {
      known = true;
      open.vendor = family[1] === 'Intel' ? 'intel' : family[1] === 'AMD' ? 'amd' : 'other';
      const model = Number(family[3]);
      open.cpuid = (Number(family[2]) << 8) | ((model & 15) << 4) | ((model >> 4) << 16);
    }
    field(/^(?:.{0,60} )?STATUS (?:0x)?([0-9a-f]{1,16})\b/, (value) => this.status(value));
    field(/\bMCGSTATUS (?:0x)?([0-9a-f]{1,16})\b/, (value) => (open.globalStatus = hexNumber(value)));
    field(/\bADDR (?:0x)?([0-9a-f]{1,16})\b/, (value) => (open.address = hexNumber(value)));
    field(/\bMISC (?:0x)?([0-9a-f]{1,16})\b/, (value) => (open.misc = hexNumber(value)));
    field(/\bSYND (?:0x)?([0-9a-f]{1,16})\b/, (value) => (open.syndrome = hexNumber(value)));
    field(/\bIPID (?:0x)?([0-9a-f]{1,16})\b/, (value) => (open.ipid = hexNumber(value)));
    field(/\bTIME (\d{1,12})\b/, (value) => (open.time = Number(value) > 0 ? Number(value) : open.time));
    field(/\bSOCKET(?:ID)? (\d{1,5})\b/, (value) => (open.socket = Number(value)));
    field(/\bmicrocode ([0-9a-f]{1,8})\b/, (value) => (open.microcode = Number.parseInt(value, 16)));
    field(/^RIP .{0,20}?[0-9a-f]{2}:<([0-9a-f]{1,16})>/, (value) => (open.instruction = hexNumber(value)));
    field(/^Error Addr: 0x([0-9a-f]{1,16})/, (value) => (open.address = hexNumber(value)));
    field(/^(?:PPIN: .{1,20}, )?IPID: 0x([0-9a-f]{1,16})/, (value) => (open.ipid = hexNumber(value)));
    field(/\bSyndrome: 0x([0-9a-f]{1,16})/, (value) => (open.syndrome = hexNumber(value)));
    if (!known && /^(?:MCE \d|Machine check events logged|$)/.test(text)) this.end();
    return known;
  }

  private begin(cpu: number, bank: number, time: number | null): void {
    this.end();
    this.open = { ...machineCheckDefaults, cpu, bank, time };
    this.hasStatus = false;
  }

  private status(value: string): void {
    this.open!.status = hexNumber(value);
    this.hasStatus = true;
  }

  end(): void {
    if (this.open !== null && this.hasStatus) this.tell(describeMachineCheck(this.open));
    this.open = null;
  }
}

/** AER's lines: one that names the layer, one with the status, one a bit. */
class PcieText {
  private readonly tell: (error: HardwareError) => void;
  private open: HardwareError | null = null;
  private bits: string[] = [];

  constructor(tell: (error: HardwareError) => void) {
    this.tell = tell;
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  read(text: string, time: number | null): boolean {
    const m =
      /(?:^|\s)([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): (?:AER: )?PCIe Bus Error: severity=(Corrected|Correctable|Uncorrected|Uncorrectable) ?(\((?:Non-Fatal|Fatal)\))?, type=([\w ]{1,40})/.exec(
        text,
      );
    if (m !== null) {
      this.end();
      this.open = hardwareError({
        source: 'aer',
        severity: m[2]!.startsWith('Correct') ? 'corrected' : m[3] === '(Fatal)' ? 'fatal' : 'recoverable',
        unit: 'pcie',
        what: `PCIe error of the ${m[4]!.trim().toLowerCase()}`,
        device: m[1]!,
        time,
      });
      return true;
    }
    if (this.open === null) return false;
    const status = /error status\/mask=([0-9a-f]{8})\/[0-9a-f]{8}/.exec(text);
    if (status !== null) {
      this.open = { ...this.open, status: `0x${status[1]}` };
      return true;
    }
    const bit = /\[ ?\d{1,2}\] ([A-Za-z][\w ]{1,40}?)(?:\s+\(First\))?\s*$/.exec(text);
    if (bit !== null) {
      this.bits.push(bit[1]!);
      return true;
    }
    if (/TLP Header/.test(text)) return true;
    this.end();
    return false;
  }

  end(): void {
    if (this.open !== null)
      this.tell({ ...this.open, details: this.bits.length > 0 ? [['bits', this.bits.join(', ')]] : [] });
    this.open = null;
    this.bits = [];
  }
}

/** Reports of one line. */
function oneLine(text: string): HardwareError | null {
  let m = /^EDAC MC(\d{1,4}): (\d{1,9}) (CE|UE) (.{0,200}?) ?on (.{1,160}?) \((.{0,600})$/.exec(text);
  if (m !== null) {
    const page = /\bpage:(?:0x)?([0-9a-f]{1,13})/.exec(m[6]!)?.[1];
    const offset = /\boffset:(?:0x)?([0-9a-f]{1,8})/.exec(m[6]!)?.[1];
    return hardwareError({
      source: 'edac',
      severity: m[3] === 'CE' ? 'corrected' : 'recoverable',
      unit: 'memory',
      what: m[4] === '' ? 'memory error' : m[4]!,
      socket: numberIn(/\bsocket:(\d{1,4})/, m[6]!),
      address:
        page === undefined ? null : `0x${((BigInt(`0x${page}`) << 12n) + BigInt(`0x${offset ?? 0}`)).toString(16)}`,
      location: m[5] === 'unknown memory' || m[5] === 'any memory' ? `memory controller ${m[1]}` : m[5]!,
      count: Number(m[2]),
      details: [['place', m[6]!.replace(/\)\s*$/, '').slice(0, 300)]],
    });
  }
  m = /^EDAC (DEVICE|PCI)(\d{1,4}): (?:(CE|UE): )?(.{1,300})$/.exec(text);
  if (m !== null && m[3] !== undefined)
    return hardwareError({
      source: 'edac',
      severity: m[3] === 'CE' ? 'corrected' : 'recoverable',
      unit: m[1] === 'PCI' ? 'pcie' : 'cache',
      what: `${m[1] === 'PCI' ? 'PCI parity' : 'cache or bus'} error`,
      location: m[4]!,
      count: numberIn(/count: (\d{1,9})/, m[4]!) ?? 1,
    });
  m = /^(?:.{0,40} )?SError Interrupt on CPU(\d{1,5}), code (0x[0-9a-f]{8,16})/.exec(text);
  if (m !== null)
    return hardwareError({
      source: 'arm',
      severity: serrorSeverity(Number(BigInt(m[2]!) & 0xffff_ffffn)),
      unit: 'unknown',
      what: 'an access failed after the instruction had gone on (SError)',
      cpu: Number(m[1]),
      status: m[2]!,
    });
  m = /^Internal error: [Ss]ynchronous (?:[Ee]xternal [Aa]bort|parity or ECC error): ([0-9a-f]{8,16})/.exec(text);
  if (m !== null)
    return hardwareError({
      source: 'arm',
      severity: 'fatal',
      unit: 'unknown',
      what: 'an access failed outside the processor (synchronous external abort)',
      status: `0x${m[1]}`,
    });
  m = /^Memory failure: 0x([0-9a-f]{1,13}): (.{1,200})$/.exec(text);
  if (m !== null && /recovery action|Sending SIGBUS|already hardware poisoned/.test(m[2]!))
    return hardwareError({
      source: 'kernel',
      severity: /Recovered|Delayed/.test(m[2]!) ? 'deferred' : 'recoverable',
      unit: 'memory',
      what: 'a page of memory is given up',
      address: `0x${(BigInt(`0x${m[1]}`) << 12n).toString(16)}`,
      details: [['action', m[2]!]],
    });
  m = /^(?:mce: )?Uncorrected hardware memory error in user-access at ([0-9a-f]{1,16})/.exec(text);
  if (m !== null)
    return hardwareError({
      source: 'kernel',
      severity: 'recoverable',
      unit: 'memory',
      what: 'a process read memory that has lost its content',
      address: `0x${m[1]}`,
    });
  return rasdaemonLine(text);
}

/** rasdaemon's events, and the kernel's of the same names. */
function rasdaemonLine(text: string): HardwareError | null {
  let m =
    /\bmc_event: .{0,60}?(\d{1,9}) (Corrected|Uncorrected|Fatal|Deferred) errors?: (.{0,160}?) on (.{1,120}?) \((.{0,300})/.exec(
      text,
    );
  if (m !== null)
    return hardwareError({
      source: 'edac',
      severity:
        m[2] === 'Corrected'
          ? 'corrected'
          : m[2] === 'Deferred'
            ? 'deferred'
            : m[2] === 'Fatal'
              ? 'fatal'
              : 'recoverable',
      unit: 'memory',
      what: m[3] === '' ? 'memory error' : m[3]!,
      location: m[4]!,
      address: /\baddress: ?(0x[0-9a-f]{1,16})/.exec(m[5]!)?.[1] ?? null,
      count: Number(m[1]),
    });
  m =
    /\baer_event: .{0,60}?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) PCIe Bus Error: ?(?:severity=)?([\w() ,-]{1,40}?)[:,] ?(.{0,200})$/.exec(
      text,
    );
  if (m !== null)
    return hardwareError({
      source: 'aer',
      severity: /^Corrected/.test(m[2]!)
        ? 'corrected'
        : /non-fatal/i.test(m[2]!)
          ? 'recoverable'
          : /fatal/i.test(m[2]!)
            ? 'fatal'
            : 'recoverable',
      unit: 'pcie',
      what: `PCIe error: ${m[3]!.trim() || 'of no class'}`,
      device: m[1]!,
    });
  m = /\barm_event: (.{1,300})$/.exec(text);
  if (m !== null)
    return hardwareError({
      source: 'arm',
      severity: 'recoverable',
      unit: 'core',
      what: 'a processor reported an error',
      cpu: numberIn(/\bcpu: ?(\d{1,5})/, m[1]!),
      details: [['event', m[1]!]],
    });
  m = /\b(cxl_(?:general_media|dram|memory_module|poison|aer_(?:un)?correctable_error)): (.{1,600})$/.exec(text);
  if (m === null) return null;
  const kind = m[1]!;
  const unit: HardwareUnit = 'cxl';
  const severity: HardwareSeverity =
    kind.endsWith('_uncorrectable_error') || /UNCORRECTABLE/.test(m[2]!)
      ? 'recoverable'
      : kind === 'cxl_poison'
        ? 'deferred'
        : 'corrected';
  return hardwareError({
    source: 'kernel',
    severity,
    unit,
    what: kind.startsWith('cxl_aer') ? 'error of the link to CXL memory' : 'error of CXL memory',
    device: /\bhost=([\w:.]{1,40})/.exec(m[2]!)?.[1] ?? null,
    location: /\bmemdev=(\w{1,20})/.exec(m[2]!)?.[1] ?? null,
    address: /\b(?:dpa|hpa)=(?:0x)?([0-9a-f]{1,16})/.exec(m[2]!)?.[1]?.replace(/^/, '0x') ?? null,
    details: [['event', m[2]!.slice(0, 300)]],
  });
}

/** Bits 12:10 of an SError's syndrome, where bits 5:0 say that they mean something (Arm's manual, ESR_EL1, AET). */
function serrorSeverity(syndrome: number): HardwareSeverity {
  if ((syndrome & 0x3f) !== 0x11) return 'fatal';
  switch ((syndrome >> 10) & 7) {
    case 2: // restartable
    case 3: // recoverable
      return 'recoverable';
    case 6:
      return 'corrected';
    default:
      return 'fatal';
  }
}

function numberIn(pattern: RegExp, text: string): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
