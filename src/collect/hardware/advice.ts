// One sentence on which part to change: errors of one place together, the worst first.
import { count } from '../../base/text.ts';
import type { HardwareError, HardwareSeverity, HardwareUnit } from './hardware_error.ts';

export interface HardwareAdvice {
  /** What the errors have in common: a DIMM, a processor, a device. */
  readonly place: string;
  readonly unit: HardwareUnit;
  /** The worst of them. */
  readonly severity: HardwareSeverity;
  readonly count: number;
  /** Pages that they were in, `0x...` of their first bytes; at most eight. */
  readonly pages: readonly string[];
  readonly sentence: string;
}

const order: readonly HardwareSeverity[] = ['corrected', 'deferred', 'recoverable', 'fatal'];
/** More corrected errors than that of one DIMM are no cosmic ray. */
const many = 10;

/** Which parts the errors speak of, the worst first. */
export function hardwareAdvice(errors: readonly HardwareError[]): HardwareAdvice[] {
  const groups = new Map<string, HardwareError[]>();
  const drivers = errors.filter(({ source }) => source === 'edac');
  for (const error of errors) {
    // the driver of the memory controller says of the same error which DIMM it was
    const twin =
      error.source === 'mce' && error.unit === 'memory' && error.address !== null
        ? drivers.find(({ address }) => address !== null && pageOf(address) === pageOf(error.address!))
        : undefined;
    if (twin !== undefined) continue;
    const key = `${familyOf(error.unit)} ${placeOf(error)}${error.injected ? ' injected' : ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [error]);
    else group.push(error);
  }
  return [...groups.values()]
    .map(adviceOf)
    .sort((a, b) => order.indexOf(b.severity) - order.indexOf(a.severity) || b.count - a.count);
}

function familyOf(unit: HardwareUnit): string {
  return unit === 'cache' || unit === 'core' ? 'processor' : unit;
}

const pageOf = (address: string): bigint => BigInt(address) >> 12n;

/** Where an error was, as exactly as it can be told. */
function placeOf({ unit, location, device, socket, cpu }: HardwareError): string {
  if (device !== null) return device;
  if (unit === 'memory' && location !== null) return socket === null ? location : `${location} of socket ${socket}`;
  if (unit === 'cache' || unit === 'core')
    return cpu === null ? (location ?? 'a processor') : `CPU ${cpu}${socket === null ? '' : ` of socket ${socket}`}`;
  if (location !== null) return location;
  if (socket !== null) return `socket ${socket}`;
  return unit === 'memory' ? 'an unknown DIMM' : 'an unknown place';
}

function adviceOf(errors: readonly HardwareError[]): HardwareAdvice {
  const [first] = errors as [HardwareError, ...HardwareError[]];
  const severity = errors.reduce(
    (worst, { severity }) => (order.indexOf(severity) > order.indexOf(worst) ? severity : worst),
    first.severity,
  );
  const total = errors.reduce((sum, error) => sum + error.count, 0);
  const addresses = errors.flatMap(({ address }) => (address === null ? [] : [pageOf(address)]));
  const pages = [...new Set(addresses)].slice(0, 8).map((page) => `0x${(page << 12n).toString(16)}`);
  const place = placeOf(first);
  return {
    place,
    unit: first.unit,
    severity,
    count: total,
    pages,
    sentence: sentenceOf(first, place, severity, total, pages.length),
  };
}

function sentenceOf(
  error: HardwareError,
  place: string,
  severity: HardwareSeverity,
  total: number,
  pages: number,
): string {
  const worst =
    severity === 'fatal'
      ? 'The machine died of it'
      : severity === 'recoverable'
        ? 'Data were lost'
        : severity === 'deferred'
          ? 'Bad data were found in time'
          : 'All of it was corrected';
  const seen = `${worst} (${count(total, 'error')})`;
  if (error.injected) return `Nothing is broken: ${count(total, 'error')} made by an error injection tool.`;
  switch (error.unit) {
    case 'memory':
      if (severity === 'corrected' && total < many)
        return `${seen}: keep ${place} in view; change it if there are more.`;
      if (severity === 'corrected' && pages === 1)
        return `${seen}, always in one page: a weak cell of ${place}; the kernel can stop using the page, change the DIMM when convenient.`;
      return `${seen}: change the DIMM ${place === 'an unknown DIMM' ? "at this address (EDAC or the firmware's log name it)" : `at ${place}`}; if errors stay with the slot, the board or the processor's memory controller.`;
    case 'memory-controller':
      return `${seen}: reseat the DIMMs of ${place}; if it comes again, change the processor whose memory controller it is.`;
    case 'cache':
    case 'core':
      if (severity === 'corrected' && total < many)
        return `${seen}: keep ${place} in view; change the processor if there are more.`;
      return `${seen}: change the processor with ${place}, after a look at its cooling, microcode and clock settings.`;
    case 'interconnect':
      return `${seen}: reseat the processors and clean their sockets; if it comes again, change the processor of ${place}, then the board.`;
    case 'pcie':
      return severity === 'corrected'
        ? `${seen}: reseat the card and its riser or cable at ${place}; a link that goes on correcting wants another card or slot.`
        : `${seen}: change the card at ${place}; if another card fails there too, the riser, cable or slot.`;
    case 'cxl':
      return `${seen}: change the CXL memory device ${place}; errors of its link alone are the slot's or cable's.`;
    case 'platform':
      return `${seen}: update firmware and microcode first; if it comes again, change the board.`;
    case 'unknown':
      return `${seen}, and nothing tells which part: look into the firmware's event log (ipmitool sel) for the same time.`;
    default:
      return error.unit satisfies never;
  }
}
