// The forms in which a dump can be kept. Most are written by makedumpfile in the guest's capture kernel; QEMU's own
// are written by the host while the dead guest hangs.

export interface Format {
  readonly name: string;
  readonly about: string;
  /** Shell lines of the capture kernel that write /lab/vmcore*; absent when QEMU writes the dump. */
  readonly capture?: (level: number) => string;
  /** QEMU's dump-guest-memory formats; absent when the guest writes the dump. */
  readonly qemu?: 'elf' | 'kdump-zlib';
}

export const formats: readonly Format[] = [
  makedumpfile('zlib', 'kdump-compressed, zlib', '-c'),
  makedumpfile('lzo', 'kdump-compressed, LZO', '-l'),
  makedumpfile('zstd', 'kdump-compressed, zstd', '-z'),
  makedumpfile('plain', 'kdump-compressed with its pages left uncompressed', ''),
  makedumpfile('elf', 'ELF core, filtered', '-E'),
  {
    name: 'flat',
    about: 'flattened stream of a kdump-compressed dump, as sent over a network',
    capture: (level) => `makedumpfile -F -c -d ${level} /proc/vmcore > /lab/vmcore\n`,
  },
  {
    name: 'split',
    about: 'kdump-compressed in three files',
    capture: (level) => `makedumpfile --split -c -d ${level} /proc/vmcore /lab/vmcore /lab/vmcore.2 /lab/vmcore.3\n`,
  },
  {
    name: 'whole',
    about: '/proc/vmcore as the capture kernel has it, unfiltered, without makedumpfile',
    // (a console that says nothing for long is given up)
    capture: () => '(while sleep 20; do echo copying; done) & cp /proc/vmcore /lab/vmcore; kill $!\n',
  },
  { name: 'qemu-elf', about: "ELF core written by QEMU's dump-guest-memory", qemu: 'elf' },
  { name: 'qemu-kdump', about: "kdump-zlib written by QEMU's dump-guest-memory", qemu: 'kdump-zlib' },
];

function makedumpfile(name: string, about: string, flag: string): Format {
  return { name, about, capture: (level) => `makedumpfile ${flag} -d ${level} /proc/vmcore /lab/vmcore\n` };
}

/** @throws Error naming the formats there are */
export function formatNamed(name: string): Format {
  const found = formats.find((format) => format.name === name);
  if (found === undefined) throw new Error(`no format ${name}; there are ${formats.map((f) => f.name).join(', ')}`);
  return found;
}
