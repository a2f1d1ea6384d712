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
 * What must not reach a terminal or a page as it is: control characters (C0 but for tab and newline, DEL, C1), which drive
 * a terminal; U+2028 and U+2029, which end a line where only newline should; the controls of writing direction, which show
 * text in another order than it has (Unicode Technical Report 36, 3.1).
 */
const unsafe = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Unsafe characters as `\xNN` or `\uNNNN`, so that text from a dump cannot drive a terminal or look like another. */
export function escapeTerminal(text: string): string {
  return text.replace(unsafe, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** As `escapeTerminal`, and tab and newline too: for names in a line or a table, which must not forge another. */
export function escapeLine(text: string): string {
  return escapeTerminal(text).replace(/[\t\n]/g, (c) => (c === '\t' ? '\\x09' : '\\x0a'));
}

/** As `escapeTerminal`, and newline too: for a line of a log, which may have tabs. */
export function escapeLogLine(text: string): string {
  return escapeTerminal(text).replaceAll('\n', '\\x0a');
}

/** JSON text that may go to a terminal: the unsafe characters that JSON itself lets through, as `\uNNNN`. */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Text for an HTML element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** `n` with a noun: `1 page`, `2 pages`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
