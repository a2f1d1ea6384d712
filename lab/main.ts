// `npm run lab -- ...`: real kernels that really die. See docs/lab.md.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { check, checkPeers, renderChecked, renderPeers } from './check.ts';
import { type CollectResult, injectors, machineCheck, netconsole, pstore, stores } from './collect.ts';
import { compareDisassembly } from './disassembly.ts';
import { fetchKernel } from './fetch.ts';
import { formats } from './formats.ts';
import { provocations, provoke } from './host/fail.ts';
import { live } from './host/live.ts';
import { checkPackages } from './host/package.ts';
import { prove } from './host/prove.ts';
import { type DebianSuite, debianSuites, kernelNamed, kernels } from './kernels.ts';
import { checkLevels } from './levels.ts';
import { kernelNames, matrix, small, usual } from './matrix.ts';
import { place, say } from './place.ts';
import { OutOfReach } from './programs.ts';
import { type RunOptions, run } from './run.ts';
import { scenarios } from './scenarios/index.ts';
import { checkSecrets } from './secrets.ts';
import { sweep } from './sweep.ts';
import { holdTruth } from './truth.ts';

const program = new Command('lab')
  .description('Boots real kernels, makes them die, and checks inquest against what they said.')
  .showHelpAfterError();

program
  .command('list')
  .description('the kernels, the ways to die, and the forms of dumps')
  .action(() => {
    const rows = (title: string, list: readonly (readonly [string, string])[]) =>
      `${title}\n${list.map(([name, about]) => `  ${name.padEnd(16)}${about}\n`).join('')}`;
    process.stdout.write(
      [
        rows(
          'kernels',
          kernels.map((kernel) => [kernel.name, `${kernel.machine}, Debian ${kernel.suite}`]),
        ),
        rows(
          'scenarios',
          scenarios.map((scenario) => [scenario.name, scenario.about]),
        ),
        rows(
          'formats',
          formats.map((format) => [format.name, format.about]),
        ),
      ].join('\n'),
    );
  });

program
  .command('fetch')
  .description('make kernels ready to boot: download, build the module, pack what the guest boots from')
  .argument('<kernel...>', kernelNames)
  .option('--debug', 'also the debug kernel, for check --peers')
  .option('--again', 'from the beginning, with the newest package')
  .action((names: string[], options: { debug?: boolean; again?: boolean }) => {
    for (const name of names) say(`${name} is ${fetchKernel(kernelNamed(name), options).release}, ready`);
  });

program
  .command('run')
  .description('one crash; prints the folder with what is left')
  .argument('<kernel>', kernelNames)
  .argument('<scenario>', 'see list')
  .addOption(new Option('--format <format>', 'the form of the dump').choices(formats.map((format) => format.name)))
  .option('--level <n>', "makedumpfile's dump level", number)
  .option('--raw', 'also keep the unfiltered /proc/vmcore')
  .option('--cpu <model>', "QEMU's -cpu (max,la57=off: 4-level page tables; cortex-a72: no pointer authentication)")
  .option('--cpus <n>', 'CPUs of the guest', number)
  .option('--memory <n>', 'memory of the guest in megabytes', number)
  .option('--nodes <n>', 'nodes of NUMA, among which its processors and memory are divided', number)
  .option('--append <words>', "added to the kernel's command line (slub_debug=FZPU page_owner=on)")
  .action(async (kernel: string, scenario: string, options: RunOptions) => {
    process.stdout.write(`${await run(kernel, scenario, options)}\n`);
  });

program
  .command('check')
  .description('compare inquest with what the guest said before it died; exit status 1 if anything is wrong')
  .argument('<run>', 'a folder that run printed, or its name')
  .option('--peers', 'also ask crash(8) and drgn, where they are installed, and show where they differ')
  .option('--program <file>', "inquest's entry point (default: src/cli/main.ts)")
  .action((name: string, options: { peers?: boolean; program?: string }) => {
    const folder = existsSync(name) ? name : place.run(name);
    const checked = check(folder, options);
    process.stdout.write(renderChecked(checked));
    for (const peer of options.peers ? checkPeers(folder) : []) {
      if (typeof peer === 'string') say(peer);
      else process.stdout.write(`\n${renderPeers(checked, peer)}`);
    }
    process.exitCode = checked.wrong > 0 ? 1 : 0;
  });

program
  .command('truth')
  .description('hold many dumps against what was reached before; exit status 1 if less is compared or more is wrong')
  .argument('<folder>', 'with a folder for each dump: runs, or a vmcore with /proc as it was (proc.tar.zst)')
  .option('--record', 'write down what is reached now')
  .option('--only <regex>', 'folders of such names')
  .option('--program <file>', "inquest's entry point (default: src/cli/main.ts)")
  .action((folder: string, options: { record?: boolean; only?: string; program?: string }) => {
    const only = new RegExp(options.only ?? '');
    const worse = holdTruth(folder, { record: options.record ?? false, only, program: options.program });
    process.exitCode = worse ? 1 : 0;
  });

program
  .command('sweep')
  .description('run every command with every option on dumps; exit status 1 if one ends with an internal error')
  .argument('<dump...>', 'vmcores, or folders that run printed')
  .option('--program <file>', "inquest's entry point (default: src/cli/main.ts)")
  .action((dumps: string[], options: { program?: string }) => {
    for (const dump of dumps) {
      const file = join(dump, 'vmcore');
      const { lines, internal } = sweep([resolve(existsSync(file) ? file : dump)], options.program);
      process.stdout.write(`${dump}: ${lines} lines, ${internal.length} internal errors\n`);
      for (const { line, text } of internal) process.stdout.write(`  ${line}\n    ${text.trim().slice(0, 500)}\n`);
      if (internal.length > 0) process.exitCode = 1;
    }
  });

program
  .command('levels')
  .description('what levels 0 to 31 take of unfiltered dumps; exit status 1 if it is anything that they do not name')
  .argument('<dump...>', 'raw dumps, or folders that run --raw printed')
  .option('--levels <list>', 'only these', list)
  .option('--saved-at <list>', 'write a dump at these (default: 1,2,4,8,16,31)', list)
  .option('--commands', 'run every command on each dump written')
  .option('--makedumpfile <program>', 'compare with the pages that it takes')
  .action(
    (
      dumps: string[],
      options: { levels?: string[]; savedAt?: string[]; commands?: boolean; makedumpfile?: string },
    ) => {
      for (const dump of dumps) {
        const file = [join(dump, 'vmcore.raw'), join(dump, 'vmcore')].find((path) => existsSync(path)) ?? dump;
        const wrong = checkLevels(
          file,
          {
            levels: (options.levels ?? Array.from({ length: 32 }, (_, level) => level)).map(Number),
            savedAt: (options.savedAt ?? [1, 2, 4, 8, 16, 31]).map(Number),
            commands: options.commands ?? false,
            makedumpfile: options.makedumpfile ?? null,
          },
          (line) => process.stdout.write(`${line}\n`),
        );
        for (const sentence of wrong) process.stdout.write(`WRONG ${sentence}\n`);
        if (wrong.length > 0) process.exitCode = 1;
      }
    },
  );

program
  .command('secrets')
  .description('what save --redact leaves of the keys in a run of the scenario secrets; exit status 1 if anything')
  .argument('<run>', 'a folder that run printed, or its name')
  .option('--program <file>', "inquest's entry point (default: src/cli/main.ts)")
  .action((name: string, { program }: { program?: string }) => {
    const { lines, wrong } = checkSecrets(join(existsSync(name) ? name : place.run(name), 'vmcore'), program);
    for (const line of lines) process.stdout.write(`${line}\n`);
    for (const sentence of wrong) process.stdout.write(`WRONG ${sentence}\n`);
    if (wrong.length > 0) process.exitCode = 1;
  });

program
  .command('dis')
  .description('hold dis against objdump on random code of dumps; exit status 1 if anything differs')
  .argument('<dump...>', 'vmcores, or folders that run printed')
  .option('--count <n>', 'instructions of each dump', number, 20_000)
  .option('--seed <n>', 'which places', number, 1)
  .action((dumps: string[], { count, seed }: { count: number; seed: number }) => {
    for (const dump of dumps) {
      const file = join(dump, 'vmcore');
      const { compared, different } = compareDisassembly(existsSync(file) ? file : dump, count, seed);
      const times = different.reduce((sum, one) => sum + one.times, 0);
      process.stdout.write(`${dump}: ${compared} instructions, ${times} different\n`);
      for (const { times, objdump, own } of different)
        process.stdout.write(`  ${times} times\n    objdump  ${objdump}\n    inquest  ${own}\n`);
      if (times > 0) process.exitCode = 1;
    }
  });

program
  .command('matrix')
  .description('run and check many; exit status 1 if any fact is wrong, 3 if only runs failed')
  .option('--kernels <names>', 'separated by commas', list)
  .option('--scenarios <names>', 'separated by commas', list)
  .option('--ci', 'the small matrix; where QEMU or the archive is out of reach, say so and succeed')
  .option('--sweep', 'delete the dumps that were checked and found right')
  .option('--record', 'with --ci: write down how much each fact compared')
  .option('--program <file>', "inquest's entry point (default: src/cli/main.ts)")
  .action(
    async (options: {
      kernels?: string[];
      scenarios?: string[];
      ci?: boolean;
      sweep?: boolean;
      record?: boolean;
      program?: string;
    }) => {
      const isWhole = options.ci && options.kernels === undefined && options.scenarios === undefined;
      const chosen = options.ci ? small : usual;
      try {
        const { failed, wrong } = await matrix({
          ...options,
          kernels: options.kernels ?? chosen.kernels,
          scenarios: options.scenarios ?? chosen.scenarios,
          ...(isWhole ? { totals: options.record ? 'record' : 'hold' } : {}),
        });
        process.exitCode = wrong > 0 ? 1 : failed > 0 ? 3 : 0;
      } catch (error) {
        if (!options.ci || !(error instanceof OutOfReach)) throw error;
        process.stdout.write(`SKIPPED the lab: ${error.message.split('\n')[0]}\n`);
      }
    },
  );

program
  .command('netconsole')
  .description('a kernel sends its last words to inquest listen; compared with its console')
  .argument('<kernel>', kernelNames)
  .option('--basic', 'plain text instead of records')
  .option('--lossy', 'drop, double and reorder packets on the way')
  .option('--provoke <line>', 'how it dies', 'echo null > /proc/perish')
  .action(async (kernel: string, options: { basic?: boolean; lossy?: boolean; provoke: string }) => {
    tell(
      await netconsole(kernel, {
        basic: options.basic ?? false,
        lossy: options.lossy ?? false,
        provoke: options.provoke,
      }),
    );
  });

program
  .command('mce')
  .description('a machine check is injected; what inquest mce reads of the console is compared with it')
  .argument('<kernel>', kernelNames)
  .addOption(new Option('--by <injector>', 'who injects it').choices(injectors).default('qemu'))
  .action(async (kernel: string, { by }: { by: (typeof injectors)[number] }) => tell(await machineCheck(kernel, by)));

program
  .command('pstore')
  .description(
    'a kernel dies, and inquest pstore reads what it left: in memory over a warm reset, in firmware, on a disk',
  )
  .argument('<kernel>', kernelNames)
  .argument('<store>', stores.join(', '))
  .option('--ecc <bytes>', 'parity bytes a block of ramoops', number, 0)
  .option('--flips <n>', 'bits flipped in each kibibyte of the image', number, 0)
  .action(async (kernel: string, name: string, options: { ecc: number; flips: number }) => {
    const store = stores.find((known) => known === name);
    if (store === undefined) throw new Error(`no store ${name}; there are ${stores.join(', ')}`);
    tell(await pstore(kernel, { store, ...options }));
  });

const host = program
  .command('host')
  .description(
    "whole machines of Debian (systemd, grub, the archive's kernel), on which inquest's package is all that is added",
  );

host
  .command('prove')
  .description(
    'set up as a user would, crash, and look what arrived at every kind of target; exit status 1 if anything lacks',
  )
  .argument('<suite>', 'bookworm, sid')
  .option('--beside', 'beside an installed kdump-tools')
  .option('--upgrade', 'and a newer kernel at the end')
  .action(async (name: string, { beside = false, upgrade = false }: { beside?: boolean; upgrade?: boolean }) => {
    const { wrong } = await prove(suiteNamed(name), { beside, upgrade });
    tellWrong(wrong);
  });

host
  .command('provoke')
  .description(
    'the capture kernel alone, with every kind of target, and with failures: each must end in a saved log, a clear message and the configured action',
  )
  .argument('<suite>', 'bookworm, sid')
  .argument('<dump>', 'what the dead kernel left: a vmcore')
  .argument('[failure...]', provocations.map(({ name }) => name).join(', '))
  .action(async (name: string, dump: string, chosen: string[]) =>
    tellWrong(await provoke(suiteNamed(name), chosen, dump)),
  );

host
  .command('live')
  .description('the running machine: held against its /proc, its system calls followed, and asked while it moves')
  .argument('<suite>', 'bookworm, sid')
  .option('--rounds <n>', 'how often it is asked while it moves', number, 200)
  .option('--all', 'every command with every option, too')
  .action(async (name: string, options: { rounds: number; all?: boolean }) =>
    tellWrong(await live(suiteNamed(name), { rounds: options.rounds, all: options.all ?? false })),
  );

host
  .command('package')
  .description("inquest's packages in a clean root: installed, used, removed; the arm64 one started under emulation")
  .argument('<suite>', 'bookworm, sid')
  .action((name: string) => tellWrong(checkPackages(suiteNamed(name))));

function suiteNamed(name: string): DebianSuite {
  const found = debianSuites.find((suite) => suite === name);
  if (found === undefined) throw new Error(`no suite ${name}; there are ${debianSuites.join(', ')}`);
  return found;
}

function tellWrong(wrong: readonly string[]): void {
  for (const sentence of wrong) process.stdout.write(`wrong: ${sentence}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

function tell({ lines, wrong, incidents }: CollectResult): void {
  process.stdout.write(`${lines} lines as on the console; ${incidents.join('; ') || 'no incident'}\n`);
  for (const sentence of wrong) process.stdout.write(`wrong: ${sentence}\n`);
  if (wrong.length > 0 || lines === 0) process.exitCode = 1;
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`not a number: ${text}`);
  return value;
}

function list(text: string): string[] {
  return text.split(',').filter(Boolean);
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
