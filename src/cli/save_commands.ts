// The jobs of `inquest` that write dumps, or say what writing one would take.
import { type Command, Option } from 'commander';
import type { EstimateArguments } from './estimate.ts';
import type { SalvageArguments } from './salvage.ts';
import type { SaveArguments } from './save.ts';

/** @param setStatus is given the exit status */
export function addSaveCommands(program: Command, setStatus: (status: number) => void): void {
  program
    .command('save')
    .description('write a dump anew: filtered, in another format, compressed, divided, or as a stream')
    .argument(
      '<dump...>',
      'a vmcore, or all parts of a split one; then where to write: a file, or - for a flattened stream',
    )
    .option(
      '-d, --level <levels>',
      "what to leave out, as makedumpfile's -d; of several, the next if the target is full",
    )
    .option('--drop <kinds>', 'the same in words: zero, cache, private-cache, user, free')
    .option('-e, --exclude-unused-map', 'without the parts of the memory map that tell of no page in the dump')
    .option('--mini', 'a few MiB: only the pages that the report, bt, ps, log, mod, kmem -i, runq, timer and lock read')
    .option('--erase <file>', "overwrite what a file tells, in makedumpfile.conf's language")
    .option('--redact', 'without keys, arguments and environments, and copies of them')
    .addOption(new Option('--format <format>', 'of the file written').choices(['kdump', 'elf']))
    .addOption(
      new Option('--compress <how>', 'the pages of a kdump').choices(['zstd', 'zlib', 'lzo', 'snappy', 'none']),
    )
    .option('--flat', 'in the flattened form, into a file too')
    .option('--split <n>', 'in so many files, with .1, .2, ... behind the name')
    .option('--threads <n>', 'that compress (default: as many as there are processors)')
    .option('--limit <size>', 'the most that a file may take: 500M, 2G')
    .option('-f, --force', 'write over a file that is there')
    .option('--resume', 'go on with the .incomplete file that the same save left, if it is there')
    .option('--progress', 'a line a percent on standard error')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  inquest save -d 31 vmcore small\n  inquest save --format elf vmcore core\n  inquest save --mini vmcore to-send\n  inquest save vmcore.1 vmcore.2 whole\n',
    )
    .action(async (names: string[], options: SaveArguments) => {
      const { runSave } = await import('./save.ts');
      setStatus(await runSave(names, options));
    });
  program
    .command('estimate')
    .description('say what a dump would hold and take at each level, before it is saved')
    .argument('<dump...>', 'a vmcore, or all parts of a split one')
    .option('-d, --level <levels>', 'only these levels, with commas')
    .addOption(new Option('--compress <how>', 'the pages').choices(['zstd', 'zlib', 'lzo', 'snappy', 'none']))
    .option('--target <file>', 'where it would be written: says whether it fits')
    .option('--json', 'print JSON')
    .action(async (dumps: string[], options: EstimateArguments) => {
      const { runEstimate } = await import('./estimate.ts');
      setStatus(await runEstimate(dumps, options));
    });
  program
    .command('verify')
    .description(
      'read every page of a dump and say whether it is whole: exit status 0 whole, 3 incomplete, 4 damaged, 5 wrongly filtered',
    )
    .argument('<dump...>', 'a vmcore, or all parts of a split one')
    .option('--json', 'print JSON')
    .action(async (dumps: string[], options: { json?: boolean }) => {
      const { runVerify } = await import('./verify.ts');
      setStatus(await runVerify(dumps, options));
    });
  program
    .command('audit')
    .description(
      'say what of people and their data is still in a dump: exit status 1 if keys, arguments or environments can be read',
    )
    .argument('<dump...>', 'a vmcore, or all parts of a split one')
    .option('--json', 'print JSON')
    .action(async (dumps: string[], options: { json?: boolean }) => {
      const { runAudit } = await import('./audit.ts');
      setStatus(await runAudit(dumps, options));
    });
  program
    .command('salvage')
    .description(
      'save what is left of a dump that is cut, damaged, half-written, or lacks parts: exit status 1 if anything is lost',
    )
    .argument('<dump...>', 'the files there are; then where to write what is left')
    .addOption(new Option('--compress <how>', 'the pages').choices(['zstd', 'zlib', 'lzo', 'snappy', 'none']))
    .option('--threads <n>', 'that compress (default: as many as there are processors)')
    .option('-f, --force', 'write over a file that is there')
    .option('--progress', 'a line a percent on standard error')
    .option('--json', 'print JSON, with all that is lost')
    .action(async (names: string[], options: SalvageArguments) => {
      const { runSalvage } = await import('./salvage.ts');
      setStatus(await runSalvage(names, options));
    });
  program
    .command('makedumpfile')
    .description("save, by makedumpfile's command line: for kdump.conf and kdump-tools")
    .argument('[arguments...]');
}
