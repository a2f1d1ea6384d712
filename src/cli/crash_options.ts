// crash(8)'s own command-line options: taken as they are, since scripts and habits give them. Those that make sense
// here become settings of the shell; the others choose how crash finds what inquest finds by itself.
import { type Command, Option } from 'commander';
import type { CrashOptions } from './crash.ts';

/** Without an effect here, by form; `[value]` where one follows. */
const taken: readonly string[] = [
  '-S',
  '-x',
  '-f',
  '-k',
  '-t',
  '-L',
  '-d <n>',
  '-p <size>',
  '-e <editor>',
  '-m, --machdep <option>',
  '--active',
  '--minimal',
  '--readnow',
  '--smp',
  '--cpus <n>',
  '--hyper',
  '--p2m_mfn <address>',
  '--xen_phys_start <address>',
  '--no_panic',
  '--no_modules',
  '--no_ikconfig',
  '--no_data_debug',
  '--no_kmem_cache',
  '--kmem_cache_delay',
  '--no_elf_notes',
  '--no_kallsyms',
  '--no_strip',
  '--mod <directory>',
  '--reloc <size>',
  '--hash <n>',
  '--kaslr <offset>',
  '--max-malloc-bufs <n>',
  '--memory_module <name>',
  '--memory_device <file>',
  '--kvmhost <bits>',
  '--kvmio <size>',
];

/** What commander knows of the options that have an effect. */
interface Given {
  readonly hex?: boolean;
  readonly dec?: boolean;
  readonly zero_excluded?: boolean;
  readonly offline?: string;
  readonly no_scroll?: boolean;
  readonly more?: boolean;
  readonly less?: boolean;
  readonly CRASHPAGER?: boolean;
  readonly no_crashrc?: boolean;
}

/** Adds the options to the program's `crash`; its help names those with an effect. */
export function addCrashOptions(command: Command): Command {
  command
    .option('--hex', 'values in hexadecimal: set radix 16')
    .option('--dec', 'values in decimal: set radix 10')
    .option('--zero_excluded', "pages that the dump's filter left out read as zeroes")
    .option('--no_scroll', 'never page output that is longer than the screen')
    .option('--no_crashrc', 'do not run .crashrc')
    .addOption(new Option('--offline <show>').choices(['show', 'hide']).hideHelp());
  for (const form of ['--more', '--less', '--CRASHPAGER', ...taken]) command.addOption(new Option(form).hideHelp());
  return command;
}

/** The settings that the options stand for. */
export function crashSettings(
  given: Readonly<Record<string, unknown>>,
): Pick<CrashOptions, 'settings' | 'startupFiles' | 'scroll'> {
  const options = given as Given;
  const settings = [
    ...(options.hex ? ['set radix 16'] : []),
    ...(options.dec ? ['set radix 10'] : []),
    ...(options.zero_excluded ? ['set zero_excluded on'] : []),
    ...(options.offline === undefined ? [] : [`set offline ${options.offline}`]),
  ].map((line) => `${line} > /dev/null`);
  return {
    settings,
    startupFiles: options.no_crashrc !== true,
    scroll: options.no_scroll ? 'off' : options.more ? 'more' : options.CRASHPAGER ? 'CRASHPAGER' : 'on',
  };
}
