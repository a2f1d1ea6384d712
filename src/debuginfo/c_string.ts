// Bytes as C character and string literals, escaped as gdb's `print` escapes them. Bytes that are not
// printable ASCII are octal, so what comes out is safe for a terminal.

const named: Record<number, string> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
};

/** One character without its quotes; `quote` is the quote that must be escaped. */
function escapeByte(byte: number, quote: string): string {
  const name = named[byte];
  if (name !== undefined) return name;
  if (byte >= 0x20 && byte < 0x7f) {
    const c = String.fromCharCode(byte);
    return c === quote || c === '\\' ? `\\${c}` : c;
  }
  return `\\${byte.toString(8).padStart(3, '0')}`;
}

/** `'A'`, `'\000'`, `'\''`. @param value of a char, signed or not */
export function charLiteral(value: bigint): string {
  return `'${escapeByte(Number(BigInt.asUintN(8, value)), "'")}'`;
}

/** `"abc\000"`. A digit behind an octal escape stays as it is: the escapes have three digits always. */
export function stringLiteral(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += escapeByte(byte, '"');
  return `"${text}"`;
}
