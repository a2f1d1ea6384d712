// What firmware told of hardware, as the kernel prints it: a record has a severity and sections, each of one thing. Lines of
// one record have its number before them, `{3}[Hardware Error]:`; those of the boot before (BERT) have none.
// drivers/acpi/apei/{ghes,bert}.c, drivers/firmware/efi/{cper,cper-arm,cper-x86}.c.
import { type HardwareError, type HardwareSeverity, type HardwareUnit, hardwareError } from './hardware_error.ts';

interface Section {
  kind: string;
  severity: HardwareSeverity;
  readonly fields: [string, string][];
}

const severities: Readonly<Record<string, HardwareSeverity>> = {
  corrected: 'corrected',
  info: 'corrected',
  recoverable: 'recoverable',
  fatal: 'fatal',
};
const maxFields = 64;

export class FirmwareText {
  private readonly tell: (error: HardwareError) => void;
  private record: string | null = null;
  private severity: HardwareSeverity = 'recoverable';
  private section: Section | null = null;
  private time: number | null = null;
  private before = false;

  constructor(tell: (error: HardwareError) => void) {
    this.tell = tell;
  }

  read(raw: string, time: number | null): boolean {
    if (raw.startsWith('BERT: Error records from previous boot')) {
      this.before = true;
      return true;
    }
    const m = /^(\{\d{1,10}\})?\[Hardware Error\]:\s?(.{0,1000})$/.exec(raw);
    if (m === null) return false;
    const number = m[1] ?? '';
    const text = m[2]!.trim();
    const begins = /^(?:Hardware error from APEI|event severity:|It has been corrected by h\/w)/.test(text);
    if (number === '' && !begins && this.record !== '') return false;
    // a machine check's lines in between
    if (number === '' && /^(?:CPU[ :]|TSC |PROCESSOR |Machine check|RIP |MC\d|IPID:|Error Addr:)/.test(text))
      return false;
    if (number !== this.record || text.startsWith('Hardware error from APEI')) {
      this.end();
      this.record = number;
      this.time = time;
    }
    this.line(text);
    return true;
  }

  private line(text: string): void {
    let m = /^event severity: (\w{1,20})/.exec(text);
    if (m !== null) {
      this.finish();
      this.severity = severities[m[1]!] ?? 'recoverable';
      return;
    }
    m = /^(?:Error \d{1,4}, type|section severity|type): (\w{1,20})/.exec(text);
    if (m !== null) {
      this.finish();
      this.section = { kind: '', severity: severities[m[1]!] ?? this.severity, fields: [] };
      return;
    }
    m = /^section[_ ]type: (.{1,80})$/.exec(text);
    if (m !== null) {
      if (this.section === null || this.section.kind !== '') {
        this.finish();
        this.section = { kind: '', severity: this.severity, fields: [] };
      }
      this.section.kind = m[1]!.trim();
      return;
    }
    const { section } = this;
    if (section === null) return;
    if (/^node: ?\d/.test(text) || /\bcard: ?\d/.test(text)) this.field('place', text);
    else {
      m = /^([A-Za-z][\w ]{0,40}): ?(.{1,400})$/.exec(text);
      if (m !== null) this.field(m[1]!, m[2]!);
    }
  }

  private field(name: string, value: string): void {
    if (this.section !== null && this.section.fields.length < maxFields) this.section.fields.push([name, value.trim()]);
  }

  private finish(): void {
    const { section } = this;
    this.section = null;
    if (section === null || section.kind === '') return;
    this.tell(firmwareError(section.kind, section.severity, section.fields, this.time, this.before));
  }

  end(): void {
    this.finish();
    this.record = null;
    this.severity = 'recoverable';
  }
}

/** One section, from text or from bytes: the same fields have the same names. */
export function firmwareError(
  kind: string,
  severity: HardwareSeverity,
  fields: readonly (readonly [string, string])[],
  time: number | null,
  previousBoot: boolean,
): HardwareError {
  const of = (...names: string[]): string | null => fields.find(([name]) => names.includes(name))?.[1] ?? null;
  const unit = unitOf(kind, of('error_type') ?? '');
  const dimm = /^not present/.test(of('DIMM location') ?? '') ? null : of('DIMM location');
  const fru = of('fru_text');
  const cpu = /^\d{1,6}$/.exec(of('processor', 'cpu') ?? '');
  return hardwareError({
    source: 'cper',
    severity,
    unit,
    what: `${unit === 'unknown' ? kind : words[unit]}${of('error_type') === null ? '' : `: ${of('error_type')!.replace(/^(?:0x)?[0-9a-f]{1,4}[,:] ?/, '')}`}${previousBoot ? ' (in the boot before)' : ''}`,
    cpu: cpu === null ? null : Number(cpu[0]),
    address:
      /^0x[0-9a-f]{1,16}/.exec(of('physical_address', 'physical fault address', 'physical_fault_address') ?? '')?.[0] ??
      null,
    location: (dimm?.replace(/\.? ?DMI handle.{0,40}$/, '') ?? fru ?? of('place'))?.trim() ?? null,
    device: /[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/.exec(of('device_id', 'device') ?? '')?.[0] ?? null,
    time,
    details: fields,
  });
}

const words: Readonly<Record<HardwareUnit, string>> = {
  memory: 'memory error',
  'memory-controller': 'error of a memory controller',
  cache: 'error of a cache or TLB',
  core: 'error of a processor',
  interconnect: 'error of a bus or interconnect',
  pcie: 'PCIe error',
  cxl: 'CXL error',
  platform: 'error of firmware or platform',
  unknown: 'error',
};

function unitOf(kind: string, errorType: string): HardwareUnit {
  if (/memory/i.test(kind)) return 'memory';
  if (/CXL/i.test(kind)) return 'cxl';
  if (/PCI/i.test(kind)) return 'pcie';
  if (/firmware/i.test(kind)) return 'platform';
  if (!/processor|ARM|IA32|X64/i.test(kind)) return 'unknown';
  if (/cache|TLB/i.test(errorType)) return 'cache';
  return /bus/i.test(errorType) ? 'interconnect' : 'core';
}
