// What of this very program goes into the capture initramfs: Node, the bundle, and the packages that it loads.
import { existsSync, globSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../base/errors.ts';
import type { CpioNode } from '../cpio.ts';
import { withoutLocales } from './icu_data.ts';

export interface Program {
  /** Files by their path in the image, which is mounted at `/program`. */
  readonly files: ReadonlyMap<string, CpioNode>;
  /** The file of Node itself on this machine. */
  readonly node: string;
}

/** Where things are in the image. */
export const programPaths = { node: 'bin/node', main: 'dist/inquest.js' } as const;

/** Files that programs do not need to run. */
const leftOut = /\.(d\.[cm]?ts|map|md|flow|txt)$/i;

/** @throws UsageError where the program runs from its sources, and has no bundle */
export function programFiles(): Program {
  const dist = bundleFolder();
  const node = realpathSync(process.execPath);
  const files = new Map<string, CpioNode>([
    [programPaths.node, { kind: 'file', bytes: withoutLocales(readFileSync(node)), mode: 0o755 }],
  ]);
  const add = (folder: string, at: string): void => {
    for (const path of globSync('**', { cwd: folder }).sort()) {
      const place = join(folder, path);
      if (leftOut.test(path) || path.startsWith('types/') || !statSync(place).isFile()) continue;
      files.set(`${at}/${path}`, { kind: 'file', bytes: readFileSync(place) });
    }
  };
  add(dist, 'dist');
  const above = dirname(dist);
  const manifest = JSON.parse(readFileSync(join(above, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>;
  };
  files.set('package.json', { kind: 'file', bytes: Buffer.from('{"type":"module"}\n') });
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const folder = join(above, 'node_modules', name);
    if (existsSync(folder)) add(folder, `node_modules/${name}`);
  }
  return { files, node };
}

/** The folder of the bundle: where this code is, or beside the sources. */
function bundleFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== '/'; folder = dirname(folder)) {
    for (const place of [folder, join(folder, 'dist')]) if (existsSync(join(place, 'inquest.js'))) return place;
  }
  throw new UsageError('the program runs from its sources, and is not built: npm run build');
}
