// Where the lab keeps things. Everything is made again when it is not there, so all of it may be deleted.
//
//   lab/.work/ (or $INQUEST_LAB)
//     apt/SUITE/       a private apt: lists and downloaded packages      root/SUITE/   unpacked: compilers, tools;
//                                                                        root/SUITE-aarch64/   the guest's, of arm64
//     kernels/NAME/    release, image/ (unpacked), perish.ko, initrd     runs/NAME-SCENARIO/   what is left of a crash
//     host/SUITE/      disk images of whole Debian machines
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kernel, MachineKind, Suite } from './kernels.ts';

/** The folder of the lab's own source. */
export const labFolder = dirname(fileURLToPath(import.meta.url));
/** The folder of the project. */
export const projectFolder = dirname(labFolder);

const work = resolve(process.env.INQUEST_LAB ?? join(labFolder, '.work'));

export const place = {
  work,
  apt: (suite: Suite) => made(join(work, 'apt', suite)),
  /** What runs on the host's own kind of machine, or in a guest of another kind. */
  root: (suite: Suite, machine: MachineKind = 'x86_64') =>
    made(join(work, 'root', machine === 'x86_64' ? suite : `${suite}-${machine}`)),
  kernel: (kernel: Kernel) => made(join(work, 'kernels', kernel.name)),
  host: (suite: Suite) => made(join(work, 'host', suite)),
  /** Not made: a run makes its own. */
  run: (name: string) => join(work, 'runs', name),
};

function made(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Says on standard error what the lab is doing. */
export function say(text: string): void {
  process.stderr.write(`lab: ${text}\n`);
}
