// Writes a table of exported symbols as a kernel's image has it: entries by name, then the names.
export interface KsymtabOptions {
  readonly form: 'relative-12' | 'relative-8' | 'absolute-16';
}

/** @param base virtual address of the first byte; @param symbols name and address, in any order */
export function writeKsymtab(
  base: bigint,
  symbols: readonly (readonly [name: string, address: bigint])[],
  { form }: KsymtabOptions = { form: 'relative-12' },
): Uint8Array {
  const ordered = [...symbols].sort(([a], [b]) => (a < b ? -1 : 1));
  const stride = form === 'relative-12' ? 12 : form === 'relative-8' ? 8 : 16;
  const namesAt = Math.ceil((ordered.length * stride) / 8) * 8;
  const names = Buffer.from(`\0${ordered.map(([name]) => `${name}\0`).join('')}`, 'latin1');
  const bytes = new Uint8Array(namesAt + names.length);
  const view = new DataView(bytes.buffer);
  bytes.set(names, namesAt);
  let nameAt = namesAt + 1;
  for (const [i, [name, address]] of ordered.entries()) {
    const at = i * stride;
    if (form === 'absolute-16') {
      view.setBigUint64(at, address, true);
      view.setBigUint64(at + 8, base + BigInt(nameAt), true);
    } else {
      view.setInt32(at, Number(BigInt.asIntN(32, address - base - BigInt(at))), true);
      view.setInt32(at + 4, nameAt - at - 4, true);
    }
    nameAt += name.length + 1;
  }
  return bytes;
}
