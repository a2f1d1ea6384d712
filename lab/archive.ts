// The archive of Debian or Ubuntu through a private apt: own lists, own cache, no installed packages. It needs no root,
// does not touch the host's apt, and uses the host's mirror and keys of Debian.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DebianSuite,
  guestSuite,
  type MachineKind,
  type Suite,
  type UbuntuSuite,
  ubuntuSuites,
} from './kernels.ts';
import { place, say } from './place.ts';
import { needPrograms, OutOfReach, runProgram } from './programs.ts';

const pockets: Record<Suite, readonly string[]> = {
  bullseye: ['bullseye', 'bullseye-security'],
  bookworm: ['bookworm', 'bookworm-updates', 'bookworm-security'],
  // its backports are the stable kernels from 6.16 on, as far as the archive still has them
  trixie: ['trixie', 'trixie-updates', 'trixie-backports', 'trixie-security'],
  sid: ['sid'],
  // has what differs from sid alone
  experimental: ['sid', 'experimental'],
  jammy: ['jammy', 'jammy-updates', 'jammy-security'],
  noble: ['noble', 'noble-updates', 'noble-security'],
};

/** What Debian calls a machine. */
const debianMachine: Record<MachineKind, string> = { x86_64: 'amd64', aarch64: 'arm64' };

export class Archive {
  readonly suite: Suite;
  readonly #folder: string;
  readonly #env: Record<string, string>;

  /** @throws OutOfReach when the archive cannot be reached from here */
  constructor(suite: Suite) {
    needPrograms('apt-get', 'dpkg-deb', 'tar');
    this.suite = suite;
    this.#folder = place.apt(suite);
    this.#env = { APT_CONFIG: join(this.#folder, 'apt.conf') };
    for (const name of ['state/lists/partial', 'cache/archives/partial', 'debs'])
      mkdirSync(join(this.#folder, name), { recursive: true });
    writeFileSync(join(this.#folder, 'status'), '');
    writeFileSync(join(this.#folder, 'sources.list'), sourcesOf(suite));
    writeFileSync(join(this.#folder, 'apt.conf'), this.#configuration());
    this.#update();
  }

  #configuration(): string {
    const folder = this.#folder;
    return [
      `Dir::State "${folder}/state";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      `Dir::Etc::sourcelist "${folder}/sources.list";`,
      'Dir::Etc::sourceparts "-";',
      'APT::Architecture "amd64";',
      'APT::Architectures { "amd64"; "arm64"; };',
      'APT::Install-Recommends "false";',
      'APT::Sandbox::User "";',
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      // A mirror may be a frozen copy; the signature is checked all the same.
      'Acquire::Check-Valid-Until "false";',
      '',
    ].join('\n');
  }

  /** Reads the archive's lists, at most once in six hours. */
  #update(): void {
    const stamp = join(this.#folder, 'updated');
    if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < 6 * 3600_000) return;
    say(`reading the lists of ${this.suite}`);
    try {
      runProgram('apt-get', ['update', '--error-on=any'], { env: this.#env });
    } catch (error) {
      throw new OutOfReach(
        `the archive of ${this.suite} is out of reach: ${error instanceof Error ? error.message : error}`,
      );
    }
    writeFileSync(stamp, '');
  }

  /** The names of all packages that begin with `prefix`. */
  names(prefix: string): string[] {
    return runProgram('apt-cache', ['pkgnames', prefix], { env: this.#env }).toString().split('\n').filter(Boolean);
  }

  /** The packages that a package says it depends on, alternatives and all. */
  dependencies(name: string): string[] {
    const text = runProgram('apt-cache', ['depends', name], { env: this.#env }).toString();
    return [...text.matchAll(/^[ |]*Depends: <?([^\s:>]+)/gm)].map((match) => match[1] ?? '');
  }

  /** Downloads packages for a kind of machine alone, without what they depend on. Gives the files' paths. */
  download(names: readonly string[], machine: MachineKind = 'x86_64'): string[] {
    const packages = names.map((name) => `${name}:${debianMachine[machine]}`);
    const folder = join(this.#folder, 'debs');
    const uris = runProgram('apt-get', ['download', '--print-uris', ...packages], { env: this.#env }).toString();
    const files = [...uris.matchAll(/^'[^']*' (\S+)/gm)].map((match) => match[1] ?? '');
    const wanted = packages.filter((_, i) => !existsSync(join(folder, files[i] ?? '')));
    if (wanted.length > 0) {
      say(`downloading ${wanted.join(' ')}`);
      runProgram('apt-get', ['download', ...wanted], { env: this.#env, cwd: folder });
    }
    return files.map((file) => join(folder, file));
  }

  /** Downloads packages for a kind of machine and all that they depend on. Gives the paths of those files that are for it. */
  downloadWithDependencies(packages: readonly string[], machine: MachineKind = 'x86_64'): string[] {
    // As that machine's own apt would: some packages that all need cannot be there for two kinds of machine at once.
    const own = ['-o', `APT::Architecture=${debianMachine[machine]}`];
    const command = ['install', ...own, '--yes', '--download-only', ...packages];
    const uris = runProgram('apt-get', ['--print-uris', ...command], { env: this.#env }).toString();
    const missing = [...uris.matchAll(/^'[^']*' (\S+)/gm)];
    if (missing.length > 0) {
      say(`downloading ${missing.length} packages of ${this.suite}`);
      runProgram('apt-get', command, { env: this.#env });
    }
    const plan = runProgram('apt-get', ['install', ...own, '--yes', '--simulate', ...packages], {
      env: this.#env,
    }).toString();
    const planned = new Set(
      [...plan.matchAll(/^Inst ([^\s:]+)\S* \((\S+).*\[(\w+)\]\)/gm)]
        .filter(([, , , kind]) => kind === 'all' || kind === debianMachine[machine])
        .map(([, name, version, kind]) => `${name}_${version?.replaceAll(':', '%3a')}_${kind}.deb`),
    );
    const folder = join(this.#folder, 'cache', 'archives');
    return readdirSync(folder)
      .filter((file) => planned.has(file))
      .map((file) => join(folder, file));
  }
}

/** Unpacks packages into a root folder; those that are there already are not unpacked again. */
export function unpack(files: readonly string[], root: string): void {
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'dev', 'proc', 'tmp'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  const list = join(root, '.unpacked');
  const done = new Set(existsSync(list) ? readFileSync(list, 'utf8').split('\n') : []);
  for (const file of files) {
    const name = file.slice(file.lastIndexOf('/') + 1);
    if (done.has(name)) continue;
    const tar = runProgram('dpkg-deb', ['--fsys-tarfile', file]);
    runProgram(
      'tar',
      ['-x', '-f', '-', '-C', root, '--keep-directory-symlink', '--no-same-owner', '--exclude=./dev/*'],
      { input: tar },
    );
    done.add(name);
    writeFileSync(list, [...done].join('\n'));
  }
}

/** The lines of sources.list for a suite. @throws OutOfReach when the mirror or its keys are not known */
function sourcesOf(suite: Suite): string {
  return isUbuntu(suite) ? ubuntuSources(suite) : debianSources(suite);
}

function isUbuntu(suite: Suite): suite is UbuntuSuite {
  return ubuntuSuites.some((name) => name === suite);
}

/** From $INQUEST_LAB_UBUNTU_MIRROR (a folder with dists/ and pool/), checked with the keys that Debian has in a package. */
function ubuntuSources(suite: UbuntuSuite): string {
  const mirror = process.env.INQUEST_LAB_UBUNTU_MIRROR?.replace(/\/$/, '');
  if (!mirror)
    throw new OutOfReach(
      "set INQUEST_LAB_UBUNTU_MIRROR to the URL of Ubuntu's archive, which has dists/ and pool/ below it",
    );
  const root = place.root(guestSuite);
  unpack(new Archive(guestSuite).download(['ubuntu-keyring']), root);
  // other machines' packages are on mirrors of their own; pahole is in universe
  const options = `arch=amd64 signed-by=${join(root, 'usr/share/keyrings/ubuntu-archive-keyring.gpg')}`;
  return pockets[suite].map((pocket) => `deb [${options}] ${mirror} ${pocket} main universe\n`).join('');
}

/** From the mirrors that the host's own apt uses, or $INQUEST_LAB_MIRROR (a folder with debian/ and debian-security/). */
export function debianSources(suite: DebianSuite): string {
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (!existsSync(keys))
    throw new OutOfReach('no keys of the Debian archive here; in Debian: apt-get install debian-archive-keyring');
  const mirror = process.env.INQUEST_LAB_MIRROR?.replace(/\/$/, '') ?? hostMirror();
  return pockets[suite]
    .map(
      (pocket) =>
        `deb [signed-by=${keys}] ${mirror}/${pocket.endsWith('-security') ? 'debian-security' : 'debian'} ${pocket} main\n`,
    )
    .join('');
}

function hostMirror(): string {
  const format = ['indextargets', '--format', '$(ORIGIN) $(REPO_URI)', 'Created-By: Packages'];
  const uris = runProgram('apt-get', format).toString().split('\n');
  const uri = uris.map((line) => /^Debian (\S+)\/debian\/$/.exec(line)?.[1]).find(Boolean);
  if (uri === undefined)
    throw new OutOfReach(
      "this machine's apt has no Debian archive; set INQUEST_LAB_MIRROR to the URL that has debian/ and debian-security/ below it",
    );
  return uri;
}
