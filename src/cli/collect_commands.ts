// The program's commands that collect what kernels leave without a dump.
import type { Command } from 'commander';
import { UsageError } from '../base/errors.ts';

interface PstoreFlags {
  log?: boolean;
  archive?: string;
  unlink?: boolean;
  symbols?: string;
  recordSize?: number;
  consoleSize?: number;
  ftraceSize?: number;
  pmsgSize?: number;
  ecc?: number;
  json?: boolean;
}

/** A size in bytes: decimal, 0x hexadecimal, or with K or M. */
function size(value: string): number {
  const m = /^(0x[0-9a-f]{1,12}|\d{1,15})([kKmM]?)$/.exec(value);
  if (m === null) throw new UsageError(`not a size: ${value}`);
  return Number(m[1]) * (m[2] === '' ? 1 : /k/i.test(m[2]!) ? 1024 : 1024 * 1024);
}

/** @param done takes the exit status of the command that was run */
export function addCollectCommands(program: Command, done: (status: number) => void): void {
  program
    .command('pstore')
    .description('read what dying kernels left in memory, firmware and flash (ramoops, EFI, ERST, mtdoops, pstore/blk)')
    .argument(
      '[place...]',
      "a mounted pstore, an archive, a file or an image of these, a dump; without: this machine's",
    )
    .option('--log', 'print the logs themselves')
    .option('--archive <dir>', 'keep everything in a folder a death')
    .option('--unlink', 'take out of pstore what is in the archive and on disk')
    .option('--symbols <file>', 'a System.map, to name the functions of a trace')
    .option('--record-size <bytes>', 'ramoops.record_size of an image; without: found out by its signatures', size)
    .option('--console-size <bytes>', 'ramoops.console_size', size)
    .option('--ftrace-size <bytes>', 'ramoops.ftrace_size', size)
    .option('--pmsg-size <bytes>', 'ramoops.pmsg_size', size)
    .option('--ecc <bytes>', 'parity bytes a block, 0 for none; ramoops.ecc=1 stands for 16', size)
    .option('--json', 'print JSON')
    .action(async (places: string[], options: PstoreFlags) => {
      const { runPstore } = await import('./pstore.ts');
      const status = await runPstore(places, {
        geometry: {
          recordSize: options.recordSize ?? null,
          consoleSize: options.consoleSize ?? null,
          ftraceSize: options.ftraceSize ?? null,
          pmsgSize: options.pmsgSize ?? null,
          ecc: options.ecc ?? null,
        },
        symbols: options.symbols ?? null,
        archive: options.archive ?? null,
        unlink: options.unlink ?? false,
        log: options.log ?? false,
        json: options.json ?? false,
      });
      done(status);
    });
}
