// Numbers as text, and text made safe: nothing that came from a dump or a log reaches a terminal or a
// page without passing through here.

/** Lower-case hexadecimal without prefix. */
export function hex(value: number | bigint): string {
  return value.toString(16);
}

/** 16 hexadecimal digits, as crash(8) prints 64-bit words. Negative values wrap. */
export function hex16(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}

/** An address in data: `0x` and 16 digits. */
export function addressText(value: bigint): string {
  return `0x${hex16(value)}`;
}

/** An address of data as people and crash(8)'s commands write it: without `0x`. */
export function bareAddress(text: string): string {
  return text.replace(/^0x/, '');
}

/**
 * Control characters (C0, DEL, C1) as `\xNN`, except tab and newline, so that text from a dump cannot
 * drive a terminal.
 */
export function escapeTerminal(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** As `escapeTerminal`, and tab and newline too: for names in a line or a table, which must not forge another. */
export function escapeLine(text: string): string {
  return escapeTerminal(text).replace(/[\t\n]/g, (c) => (c === '\t' ? '\\x09' : '\\x0a'));
}

/** JSON text that may go to a terminal: DEL and C1 characters, which JSON itself lets through, as `\u00NN`. */
export function escapeJson(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** Text for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** `n` with a noun: `1 page`, `2 pages`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
