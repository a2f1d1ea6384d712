// The text of an event: by its own print format or, where something in that is not understood, its fields one by one.
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import { type EventField, type EventFormat, fieldBytes, fieldNumber, isArray } from './event_format.ts';
import { printf } from './kernel_printf.ts';
import { type Expression, parsePrintFormat, type Scope } from './print_expression.ts';
import type { TraceNames } from './trace_names.ts';

/** The text of an event behind its name. */
export type Printer = (data: Uint8Array, names: TraceNames) => string;

const printers = new WeakMap<EventFormat, Printer>();

/** The printer of an event: by its own format or, where that is not understood, its fields with their names. */
export function printerOf(format: EventFormat): Printer {
  let printer = printers.get(format);
  if (printer === undefined) {
    printer = makePrinter(format);
    printers.set(format, printer);
  }
  return printer;
}

function makePrinter(format: EventFormat): Printer {
  const plain: Printer = (data, names) => fieldsText(format, data, names);
  let parsed: { readonly text: string; readonly arguments: readonly Expression[] };
  try {
    parsed = parsePrintFormat(format.print);
  } catch (error) {
    if (error instanceof FormatError) return plain;
    throw error;
  }
  const fields = new Map([...format.common, ...format.fields].map((field) => [field.name, field]));
  // the kernel itself prints probes' addresses by name (print_kprobe_event)
  const isProbe = fields.has('__probe_ip') || fields.has('__probe_func');
  const text = isProbe ? parsed.text.replace(/^\(%lx(?: <- %lx)?\)/, (ip) => ip.replaceAll('%lx', '%pS')) : parsed.text;
  return (data, names) => {
    try {
      const scope: Scope = { data, fields, names };
      return printf(
        text,
        parsed.arguments.map((argument) => argument(scope)),
        names,
      );
    } catch (error) {
      if (error instanceof FormatError) return plain(data, names);
      throw error;
    }
  };
}

/** Every field as `name=value`: numbers decimal, addresses and what is larger hexadecimal, text as it is. */
export function fieldsText({ fields }: EventFormat, data: Uint8Array, names: TraceNames): string {
  return fields.map((field) => `${field.name}=${fieldText(field, data, names)}`).join(' ');
}

function fieldText(field: EventField, data: Uint8Array, names: TraceNames): string {
  if (isText(field)) return latin1(fieldBytes(data, field));
  if (field.size > 8 || field.size === 0 || isArray(field)) return Buffer.from(fieldBytes(data, field)).toString('hex');
  const value = fieldNumber(data, field);
  const symbol =
    field.type.includes('*') || /ip$|func/.test(field.name) ? names.symbol(BigInt.asUintN(64, value)) : null;
  if (symbol !== null) return `${symbol.name}${symbol.offset === 0 ? '' : `+0x${symbol.offset.toString(16)}`}`;
  return field.type.includes('*') || value > 0xffff_ffffn ? `0x${value.toString(16)}` : value.toString();
}

function isText(field: EventField): boolean {
  return isArray(field) && /\bchar\b/.test(field.type) && !/unsigned char|u8/.test(field.type);
}
