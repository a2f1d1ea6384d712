// Writes a cpio archive in the "newc" format, which the kernel unpacks as its initial root
// (Documentation/driver-api/early-userspace/buffer-format.rst).

export type Node =
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly bytes: Uint8Array; readonly executable?: boolean }
  | { readonly kind: 'link'; readonly target: string };

const modes = { folder: 0o040755, file: 0o100644, link: 0o120777 };

/** Files by their path without a leading slash. Folders above a file need not be named. */
export function cpio(nodes: ReadonlyMap<string, Node>): Buffer {
  const all = new Map<string, Node>();
  for (const [path, node] of nodes) {
    const parts = path.split('/');
    for (let i = 1; i < parts.length; i++) {
      const above = parts.slice(0, i).join('/');
      if (!all.has(above)) all.set(above, nodes.get(above) ?? { kind: 'folder' });
    }
    all.set(path, node);
  }
  const parts: Buffer[] = [];
  let inode = 1;
  for (const [path, node] of all) {
    const body = node.kind === 'file' ? Buffer.from(node.bytes) : Buffer.from(node.kind === 'link' ? node.target : '');
    const mode = node.kind === 'file' && node.executable ? 0o100755 : modes[node.kind];
    parts.push(entry(path, inode++, mode, body));
  }
  parts.push(entry('TRAILER!!!', 0, 0, Buffer.alloc(0)));
  return Buffer.concat(parts);
}

function entry(path: string, inode: number, mode: number, body: Buffer): Buffer {
  const name = Buffer.from(`${path}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([aligned(Buffer.concat([head, name])), aligned(body)]);
}

function aligned(bytes: Buffer): Buffer {
  return bytes.length % 4 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}
