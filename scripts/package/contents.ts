// What a package for servers holds: the program with its own Node, documentation, licences, and the systemd unit.
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { unitText } from '../../src/host/setup/files.ts';
import type { PackageNode, PackageTree } from './tar.ts';

const library = 'usr/lib/inquest';
const documents = 'usr/share/doc/inquest';
/** What programs do not need to run. */
const leftOut = /\.(d\.[cm]?ts|map|flow)$|\/(test|tests|docs?|examples?)\//;

export interface PackageManifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * @param project the project's folder, with `dist` built
 * @param node the package that brings Node for the architecture
 * @param strip the program that takes symbols out of it; null: they stay
 */
export function packageContents(
  project: string,
  node: string,
  strip: string | null,
): { readonly tree: PackageTree; readonly manifest: PackageManifest } {
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as PackageManifest;
  const tree = new Map<string, PackageNode>();
  const put = (path: string, bytes: Uint8Array | string, mode = 0o644): void =>
    void tree.set(path, { kind: 'file', bytes: typeof bytes === 'string' ? Buffer.from(bytes) : bytes, mode });
  const copy = (folder: string, to: string): void => {
    for (const path of globSync('**', { cwd: folder }).sort()) {
      const from = join(folder, path);
      if (!leftOut.test(path) && statSync(from).isFile()) put(`${to}/${path}`, readFileSync(from));
    }
  };
  const parts: { name: string; version: string; licence: string; files: string }[] = [];
  const licences = (name: string, folder: string): void => {
    for (const file of readdirSync(folder))
      if (/^(licen[cs]e|notice|copying)/i.test(file))
        put(`${documents}/licenses/${name.replace('/', '-')}-${file}`, readFileSync(join(folder, file)));
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      version: string;
      license?: string;
    };
    parts.push({
      name,
      version,
      licence: license ?? 'see its licence file',
      files: name === 'node' ? `${library}/bin/node` : `${library}/node_modules/${name}`,
    });
  };

  put(`${library}/bin/node`, stripped(join(node, 'bin', 'node'), strip), 0o755);
  licences('node', node);
  copy(join(project, 'dist'), `${library}/dist`);
  for (const path of [...tree.keys()]) if (path.startsWith(`${library}/dist/types/`)) tree.delete(path);
  for (const name of Object.keys(manifest.dependencies).sort()) {
    const folder = join(project, 'node_modules', name);
    copy(folder, `${library}/node_modules/${name}`);
    licences(name, folder);
  }
  put(
    `${library}/package.json`,
    `${JSON.stringify({ name: 'inquest', version: manifest.version, type: 'module', dependencies: manifest.dependencies })}\n`,
  );
  put('usr/bin/inquest', '#!/bin/sh\nexec /usr/lib/inquest/bin/node /usr/lib/inquest/dist/inquest.js "$@"\n', 0o755);
  put('usr/lib/systemd/system/inquest-kdump.service', unitText('/usr/bin/inquest'));
  for (const file of ['README.md', 'LICENSE']) put(`${documents}/${file}`, readFileSync(join(project, file)));
  for (const path of globSync('docs/*.md', { cwd: project }).sort())
    put(`${documents}/${path}`, readFileSync(join(project, path)));
  put(`${documents}/copyright`, readFileSync(join(project, 'LICENSE')));
  const said = (...words: string[]): string =>
    execFileSync(process.execPath, [join(project, 'dist', 'inquest.js'), ...words], { encoding: 'utf8' });
  for (const page of ['inquest', 'inquest-crash']) {
    put(`usr/share/man/man1/${page}.1.gz`, gzipSync(said('man', page), { level: 9 }));
  }
  put('usr/share/bash-completion/completions/inquest', said('completion', 'bash'));
  put('usr/share/zsh/vendor-completions/_inquest', said('completion', 'zsh'));
  put('usr/share/fish/vendor_completions.d/inquest.fish', said('completion', 'fish'));
  put(
    `${documents}/contents.json`,
    `${JSON.stringify({ name: 'inquest', version: manifest.version, parts }, null, 1)}\n`,
  );
  return { tree, manifest };
}

function stripped(path: string, strip: string | null): Buffer {
  if (strip === null) return readFileSync(path);
  const folder = mkdtempSync(join(tmpdir(), 'inquest-package-'));
  try {
    execFileSync(strip, ['--strip-all', '-o', join(folder, 'node'), path]);
    return readFileSync(join(folder, 'node'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program that strips files of an architecture, where this machine has it. */
export function stripProgram(machine: string): string | null {
  const names =
    machine === process.arch
      ? ['strip', 'llvm-strip']
      : [machine === 'arm64' ? 'aarch64-linux-gnu-strip' : 'x86_64-linux-gnu-strip', 'llvm-strip'];
  for (const folder of (process.env['PATH'] ?? '').split(':'))
    for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  return null;
}
