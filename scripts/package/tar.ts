// Writes tar archives (POSIX ustar): the same files give the same bytes. Everything belongs to root; the time is one for all.

/** What lies at a path. */
export type PackageNode =
  | { readonly kind: 'file'; readonly bytes: Uint8Array; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string };

/** Files by their path without a leading slash; the folders above them are made. */
export type PackageTree = ReadonlyMap<string, PackageNode>;

/**
 * @param prefix before every path: `./` in Debian's packages
 * @param time seconds since 1970
 */
export function writeTar(tree: PackageTree, prefix: string, time: number): Buffer {
  const parts: Buffer[] = [];
  const folders = new Set<string>();
  if (prefix === './') parts.push(header('./', 0o755, 0, '5', '', time));
  for (const path of [...tree.keys()].sort()) {
    const steps = path.split('/');
    for (let i = 1; i < steps.length; i++) {
      const folder = `${steps.slice(0, i).join('/')}/`;
      if (folders.has(folder)) continue;
      folders.add(folder);
      parts.push(header(prefix + folder, 0o755, 0, '5', '', time));
    }
    const node = tree.get(path)!;
    if (node.kind === 'link') parts.push(header(prefix + path, 0o777, 0, '2', node.target, time));
    else {
      const size = node.bytes.length;
      parts.push(
        header(prefix + path, node.mode, size, '0', '', time),
        Buffer.from(node.bytes),
        Buffer.alloc(-size & 511),
      );
    }
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function header(path: string, mode: number, size: number, type: string, target: string, time: number): Buffer {
  const block = Buffer.alloc(512);
  const { name, prefix } = divided(path);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(time, 136, 12);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.write('root', 265);
  block.write('root', 297);
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A path longer than 100 bytes is divided at a slash. @throws Error where that is not enough */
function divided(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  for (let cut = path.indexOf('/'); cut > 0; cut = path.indexOf('/', cut + 1)) {
    if (Buffer.byteLength(path.slice(cut + 1)) <= 100 && cut <= 155)
      return { name: path.slice(cut + 1), prefix: path.slice(0, cut) };
  }
  throw new Error(`${path}: too long for a tar archive`);
}
