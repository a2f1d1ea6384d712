// Firmware that modules of the capture kernel load into their devices.
import type { HostRoot } from '../root.ts';

/**
 * Files that a module asks for, as far as the machine has them, where the kernel looks
 * (drivers/base/firmware_loader/main.c, fw_path), packed as they are.
 * @param module its file, unpacked
 * @returns by their paths, without a leading slash
 */
export function firmwareFiles(root: HostRoot, release: string, module: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const name of firmwareOf(module)) {
    for (const folder of ['updates/', '', `updates/${release}/`, `${release}/`]) {
      const places = ['', '.zst', '.xz'].map((end) => `/lib/firmware/${folder}${name}${end}`);
      const path = places.find((one) => root.exists(one));
      const bytes = path === undefined ? null : root.bytes(path, 1 << 28);
      if (path !== undefined && bytes !== null) files.set(path.slice(1), bytes);
    }
  }
  return files;
}

/** The names that a module gives by MODULE_FIRMWARE() (include/linux/module.h): texts of its .modinfo. */
function firmwareOf(module: Buffer): readonly string[] {
  const names: string[] = [];
  const key = Buffer.from('\0firmware=');
  for (let at = module.indexOf(key); at >= 0; at = module.indexOf(key, at + 1)) {
    const start = at + key.length;
    const end = module.indexOf(0, start);
    const name = module.toString('latin1', start, end < 0 ? start : Math.min(end, start + 256));
    if (/^[\w.@+,-][\w./@+,-]*$/.test(name) && !name.split('/').includes('..')) names.push(name);
  }
  return [...new Set(names)];
}
