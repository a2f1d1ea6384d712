// The jobs of `inquest kdump`: kdump on this machine.
import { type Command, Option } from 'commander';

/** @param setStatus is given the exit status */
export function addKdumpCommands(program: Command, setStatus: (status: number) => void): void {
  const kdump = program
    .command('kdump')
    .description('say whether the next panic of this machine is captured, and make it so');
  const root = (command: Command): Command =>
    command.option('--root <dir>', "look at another machine's files: an image, a container, a sosreport", '/');
  for (const [verb, description] of [
    [
      'status',
      'say in a few lines whether the next panic is captured: exit status 0 ready, 3 not ready, 4 cannot be told',
    ],
    [
      'check',
      'check everything that decides it, with what was found, why it matters, and what mends it; exit status as status',
    ],
  ] as const) {
    root(kdump.command(verb).description(description))
      .option('--json', 'print JSON')
      .addOption(new Option('--prometheus', "print metrics, for node_exporter's textfile collector").conflicts('json'))
      .action(async (options: { root: string; json?: boolean; prometheus?: boolean }) => {
        const { runCheck } = await import('./kdump.ts');
        setStatus(
          runCheck(options.root, { verb, format: options.json ? 'json' : options.prometheus ? 'prometheus' : 'text' }),
        );
      });
  }
  root(
    kdump
      .command('import')
      .description("write inquest's configuration from the kdump that is configured; to standard output"),
  )
    .option('-o, --output <file>', 'write to a file instead; it must not be there')
    .action(async (options: { root: string; output?: string }) => {
      const { runImport } = await import('./kdump.ts');
      setStatus(runImport(options.root, options.output ?? null));
    });
  root(
    kdump
      .command('size')
      .description('say how much memory the capture kernel needs, item by item, and what crashkernel= should be'),
  )
    .option('--from <file>', 'for the machine that `inquest kdump describe` described')
    .option('--json', 'print JSON')
    .action(async (options: { root: string; from?: string; json?: boolean }) => {
      const { runSize } = await import('./kdump.ts');
      setStatus(runSize(options.root, { from: options.from ?? null, json: options.json ?? false }));
    });
  root(kdump.command('describe').description('print what `size` needs to know of this machine, as JSON')).action(
    async (options: { root: string }) => {
      const { runDescribe } = await import('./kdump.ts');
      setStatus(runDescribe(options.root));
    },
  );
  root(kdump.command('rebuild').description('build the capture initramfs anew, if what goes into it changed'))
    .option('-f, --force', 'build it even if nothing changed')
    .option('-o, --output <dir>', 'where to write the kernel and the initramfs')
    .action(async (options: { root: string; force?: boolean; output?: string }) => {
      const { runRebuild } = await import('./kdump_setup.ts');
      setStatus(runRebuild(options.root, { force: options.force ?? false, output: options.output ?? null }));
    });
  kdump
    .command('load')
    .description('load the capture kernel')
    .action(async () => {
      const { runLoad } = await import('./kdump_setup.ts');
      setStatus(runLoad());
    });
  kdump
    .command('unload')
    .description('take the capture kernel out of memory')
    .action(async () => {
      const { runUnload } = await import('./kdump_setup.ts');
      setStatus(runUnload());
    });
  // what the capture initramfs runs; of no use by hand
  kdump
    .command('capture <plan>', { hidden: true })
    .description('in the capture kernel: save what is configured')
    .action(async (plan: string) => {
      const { runCaptureKernel } = await import('./kdump_capture.ts');
      setStatus(await runCaptureKernel(plan));
    });
  kdump
    .command('capture-verdict <vmcore> <folder>', { hidden: true })
    .description('write the log and the verdict into a folder')
    .action(async (vmcore: string, folder: string) => {
      const { runCaptureVerdict } = await import('./kdump_capture.ts');
      setStatus(runCaptureVerdict(vmcore, folder));
    });
}
