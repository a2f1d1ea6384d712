#!/usr/bin/env node
// The `inquest` program: which job, with what, and what exit status.
//
//   0 done    1 the input could not be read, or a command failed    2 wrong usage
//   3 and more: an answer other than the good one, as the help of the command tells
import { existsSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { problemText } from '../base/bug.ts';
import { FormatError, UsageError } from '../base/errors.ts';
import { version } from '../base/version.ts';
import type { ReportFormat } from '../report/render.ts';
import { nearest } from '../shell/suggest.ts';
import { addCollectCommands } from './collect_commands.ts';
import type { Shell } from './completion.ts';
import { addCrashOptions, crashSettings } from './crash_options.ts';
import { budgetOption, debugOptionsOf, withDebugOptions } from './debug_options.ts';
import { endProcess } from './end_process.ts';
import { addKdumpCommands } from './kdump_commands.ts';
import type { ManPage } from './man_page.ts';
import { OutputClosed, writeError, writeOut } from './output.ts';
import { addSaveCommands } from './save_commands.ts';

/** Runs the program. @returns the exit status */
async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  const program = new Command('inquest')
    .description('Finds out why a Linux kernel died, from its crash dump or its log alone.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut, writeErr: writeError })
    .addHelpText(
      'after',
      `
Examples:
  inquest vmcore                          why did it die?
  inquest report vmcore --format html -o report.html
  inquest crash vmcore                    a crash(8)-compatible shell
  inquest crash vmcore -c bt -c "ps -m"   run commands and end
  inquest log vmcore | tail               the kernel's log, from a dump or a text
  inquest oops serial.log                 every oops in a log, explained
  inquest debuginfo vmcore                which debug information would help, and where it is
  inquest save -d 31 vmcore small         filtered, compressed anew
  inquest listen /var/log/netconsole      what dying machines send
  inquest kdump check                     would the next panic of this machine be captured?

Exit status: 0 done, 1 the input could not be read or a command failed, 2 wrong usage; 3 and more are answers that the
help of a command tells.
`,
    );

  program.commandsGroup('Why it died:');
  withDebugOptions(program.command('report', { isDefault: true }))
    .description('say what killed the kernel, with the evidence (the default)')
    .argument(
      '[dump...]',
      'a vmcore, or all parts of a split one; a vmlinux and modules may be among them; or a log, or a folder',
    )
    .option('--live', 'say whether the running machine is in trouble now: exit status 0 no, 3 yes')
    .addOption(
      new Option('--format <format>', 'how to write it').choices(['text', 'markdown', 'html', 'json']).default('text'),
    )
    .option('--json', 'same as --format json')
    .option('-o, --output <file>', 'write to a file instead of standard output')
    .option('--brief', 'one screen of text: the verdict, the blamed stack, the next steps')
    .option('--why', 'also the explanations that were weighed, and what spoke for and against each')
    .action(
      async (
        dumps: string[],
        options: {
          format: ReportFormat;
          json?: boolean;
          output?: string;
          why?: boolean;
          brief?: boolean;
          live?: boolean;
        },
      ) => {
        if (options.live) {
          if (dumps.length > 0)
            throw new UsageError('--live is of this machine: no dump goes with it (inquest report --help)');
          const { runLiveReport } = await import('./live.ts');
          status = runLiveReport({ json: options.json ?? options.format === 'json', debug: debugOptionsOf(options) });
          return;
        }
        if (dumps.length === 0)
          throw new UsageError("missing required argument 'dump', or --live (inquest --help shows how to use it)");
        const [first = ''] = dumps;
        if (first === argv[2] && !existsSync(first)) {
          const job = nearest(
            first,
            program.commands.map((command) => command.name()),
          );
          if (job !== null) throw new FormatError(first, `no such file; did you mean "inquest ${job}"?`);
        }
        const { runReport } = await import('./report.ts');
        status = await runReport(dumps, {
          format: options.json ? 'json' : options.format,
          output: options.output ?? null,
          why: options.why ?? false,
          brief: options.brief ?? false,
          debug: debugOptionsOf(options),
        });
      },
    );
  const crash = withDebugOptions(program.command('crash'))
    .description('a crash(8)-compatible shell on a dump, or on the running kernel')
    .argument(
      '[dump...]',
      'a vmcore, or all parts of a split one; a vmlinux and modules may be among them, in any order; without: the running kernel, for root',
    )
    .option('-s, --silent', 'start without the banner')
    .option('-i, --input <file>', 'run the command lines of a file, and end; on a terminal, go on by hand')
    .option('-c, --command <line>', 'run a command line, and end; may be given more than once', collect, [])
    .option('--json', 'print one line of JSON for each command')
    .addHelpText(
      'after',
      '\nExamples:\n  inquest crash vmcore -c bt -c "struct task_struct.comm,pid init_task"\n  inquest crash -s vmcore -i commands.txt --json\n',
    )
    .action(
      async (
        dumps: string[],
        options: Record<string, unknown> & { silent?: boolean; input?: string; command: string[]; json?: boolean },
      ) => {
        const { runCrash } = await import('./crash.ts');
        const files = dumps.length > 0 ? dumps : [(await import('./live_source.ts')).liveSource()];
        status = await runCrash(files, {
          silent: options.silent ?? false,
          input: options.input ?? null,
          commands: options.command,
          json: options.json ?? false,
          debug: debugOptionsOf(options),
          ...crashSettings(options),
          worker: new URL(import.meta.url.endsWith('.ts') ? './crash_worker.ts' : './crash_worker.js', import.meta.url),
        });
      },
    );
  addCrashOptions(crash);
  program
    .command('log')
    .description("print the kernel's log out of a dump or any text that holds kernel messages")
    .argument('<source>', 'a dump or a text; - for standard input')
    .option('-T', 'wall-clock times')
    .option('--oops', 'print the incidents in the log instead, each explained')
    .option('--json', 'print JSON')
    .addOption(budgetOption())
    .action(async (source: string, options: { T?: boolean; oops?: boolean; json?: boolean; budget?: number }) => {
      const { runLog } = await import('./log.ts');
      status = await runLog(source, {
        wallClock: options.T ?? false,
        oops: options.oops ?? false,
        json: options.json ?? false,
        budget: options.budget ?? 1,
      });
    });
  withDebugOptions(program.command('oops'))
    .description('find and explain every oops, panic, lockup, warning and other incident in a log')
    .argument('<source>', 'a dump or a text; - for standard input')
    .argument('[module...]', 'files of modules, to show lines of their code')
    .option('--title', 'print only the title of each')
    .option('--json', 'print JSON')
    .action(async (source: string, modules: string[], options: { title?: boolean; json?: boolean }) => {
      const { runOops } = await import('./oops.ts');
      status = await runOops(source, {
        titles: options.title ?? false,
        json: options.json ?? false,
        modules,
        debug: debugOptionsOf(options),
      });
    });
  program
    .command('same')
    .description('say whether two dumps or logs tell of the same death, and why; exit status 3 if not')
    .argument('<a>', 'a dump or a text')
    .argument('<b>', 'a dump or a text')
    .option('--json', 'print JSON')
    .action(async (a: string, b: string, options: { json?: boolean }) => {
      const { runSame } = await import('./same.ts');
      status = runSame(a, b, { json: options.json ?? false });
    });
  withDebugOptions(program.command('debuginfo'))
    .description('say which debug information there is for a dump, where it was looked for, and which package has it')
    .argument('[dump...]', 'a vmcore, or all parts of a split one; a vmlinux and modules may be among them')
    .option('--clear-cache', 'take away what was unpacked for earlier runs')
    .option('--json', 'print JSON')
    .action(async (dumps: string[], options: { json?: boolean; clearCache?: boolean }) => {
      const { runDebugInfo } = await import('./debuginfo.ts');
      status = runDebugInfo(dumps, {
        ...debugOptionsOf(options),
        json: options.json ?? false,
        clearCache: options.clearCache ?? false,
      });
    });
  program
    .command('info')
    .description('say what a dump file is and what of it can be read')
    .argument('<dump...>', 'a vmcore, or all parts of a split one')
    .option('--json', 'print JSON')
    .addOption(budgetOption())
    .action(async (dumps: string[], options: { json?: boolean; budget?: number }) => {
      const { runInfo } = await import('./info.ts');
      status = await runInfo(dumps, { json: options.json ?? false, budget: options.budget ?? 1 });
    });

  program
    .command('explain')
    .description('tell what a term, a flag, a state or a letter of a kernel log means')
    .argument('[word...]', 'without one, the words that it knows')
    .option('--json', 'print JSON')
    .action(async (words: string[], options: { json?: boolean }) => {
      const { explained, explainText, notKnown } = await import('./session/explain.ts');
      const data = explained(words.join(' '));
      writeOut(options.json ? `${JSON.stringify(data)}\n` : explainText(data));
      for (const word of data.unknown) writeError(`inquest: ${notKnown(word).message}\n`);
      if (data.unknown.length > 0) status = 1;
    });

  program.commandsGroup('Take, shrink, check and repair dumps:');
  addSaveCommands(program, (result) => {
    status = result;
  });
  program.commandsGroup('Collect what is left without a dump:');
  addCollectCommands(program, (result) => {
    status = result;
  });
  program.commandsGroup('Be ready for the next one:');
  addKdumpCommands(program, (result) => {
    status = result;
  });

  program.commandsGroup('The program itself:').helpCommand('help [command]', 'tell how a command is used');
  program
    .command('completion')
    .description('print a script that completes words of the command line')
    .addArgument(new Argument('<shell>', 'that it is for').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion.ts');
      const { jobsOf } = await import('./program_page.ts');
      const { sessionCommands } = await import('./session/entries.ts');
      writeOut(
        completionScript(
          shell,
          jobsOf(program),
          [...sessionCommands().keys()].filter((name) => /^\w+$/.test(name)),
        ),
      );
    });
  program
    .command('man')
    .description('print a manual page, for man -l -')
    .addArgument(new Argument('[page]', 'which').choices(['inquest', 'inquest-crash']).default('inquest'))
    .action(async (page: ManPage) => {
      const { runMan } = await import('./man.ts');
      writeOut(await runMan(page, program, version));
    });
  program
    .command('schema')
    .description('print the JSON schema of what a command prints with --json')
    .argument('[command]', 'a command of the shell, or inquest-report, ...; without it, all are listed')
    .action(async (command: string | undefined) => {
      const { runSchema } = await import('./schema.ts');
      status = runSchema(command ?? null);
    });

  tellOfHelp(program, program.name());

  try {
    // its options are its own: nothing here may read them
    if (argv[2] === 'makedumpfile') {
      const { runMakedumpfile } = await import('./makedumpfile.ts');
      return await runMakedumpfile(argv.slice(3));
    }
    if (argv.length === 2) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(argv);
    return status;
  } catch (error) {
    if (error instanceof OutputClosed) return 0;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    writeError(`inquest: ${problemText(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** Wrong usage points to the help of the command that was used wrongly. */
function tellOfHelp(command: Command, words: string): void {
  command.showHelpAfterError(`(${words} --help shows how to use it)`);
  for (const below of command.commands) tellOfHelp(below, `${words} ${below.name()}`);
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

// what is thrown where nobody waits for it
process.on('uncaughtException', (error) => {
  if (error instanceof OutputClosed) endProcess(0);
  writeError(`inquest: ${problemText(error)}`);
  endProcess(1);
});
endProcess(await main(process.argv));
