// The jobs of `inquest kdump`: kdump on this machine.
import { type Command, Option } from 'commander';
import type { PruneArguments } from './kdump_crashes.ts';
import type { SetupArguments } from './kdump_setup.ts';

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
  root(
    kdump
      .command('setup')
      .description(
        'put kdump by inquest in place: configuration, crashkernel=, capture initramfs, systemd unit, hooks',
      ),
  )
    .option(
      '--target <target>',
      'where dumps go, first to last: a path, UUID=...:/path, raw:DEVICE, nfs:HOST:/EXPORT, ssh:USER@HOST:/path, https://..., virtiofs:TAG',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--crashkernel <value>', 'for crashkernel=; without: what this machine needs, where it has less')
    .option('--replace', 'take the place of the kdump service that is there')
    .option('-n, --dry-run', 'show every file and command, and do nothing')
    .action(async (options: SetupArguments) => {
      const { runSetup } = await import('./kdump_setup.ts');
      setStatus(runSetup(options));
    });
  root(kdump.command('remove').description('undo setup; the configuration and the crashes stay'))
    .option('-n, --dry-run', 'show every file and command, and do nothing')
    .action(async (options: { root: string; dryRun?: boolean }) => {
      const { runRemove } = await import('./kdump_setup.ts');
      setStatus(runRemove(options.root, options.dryRun ?? false));
    });
  kdump
    .command('load')
    .description('load the capture kernel')
    .option('--rebuild', 'first build its initramfs anew, if what goes into it changed')
    .action(async (options: { rebuild?: boolean }) => {
      const { runLoad } = await import('./kdump_setup.ts');
      setStatus(runLoad(options.rebuild ?? false));
    });
  kdump
    .command('unload')
    .description('take the capture kernel out of memory')
    .action(async () => {
      const { runUnload } = await import('./kdump_setup.ts');
      setStatus(runUnload());
    });
  kdump
    .command('test')
    .description(
      'crash this machine on purpose, after a typed confirmation; after the reboot, say what arrived and when',
    )
    .option(
      '--dry',
      'everything but the crash: the checks, and the initramfs built anew and booted in QEMU, where there is one',
    )
    .option('--again', 'crash it once more, without telling how the last test went')
    .action(async (options: { dry?: boolean; again?: boolean }) => {
      const { runDryTest, runTest } = await import('./kdump_setup.ts');
      setStatus(options.dry ? runDryTest() : await runTest(options.again ?? false));
    });
  root(kdump.command('list').description('list the crashes of this machine, with their verdicts'))
    .option('--json', 'print JSON')
    .action(async (options: { root: string; json?: boolean }) => {
      const { runList } = await import('./kdump_crashes.ts');
      setStatus(runList(options.root, options.json ?? false));
    });
  root(kdump.command('show').description('show a crash, or without an ID what is set up'))
    .argument('[id]', 'as `list` prints it')
    .option('--json', 'print JSON')
    .action(async (id: string | undefined, options: { root: string; json?: boolean }) => {
      const { runShow } = await import('./kdump_crashes.ts');
      setStatus(runShow(options.root, id ?? null, options.json ?? false));
    });
  root(kdump.command('prune').description('delete old crashes; the first and the last of each kind stay'))
    .option('--keep <n>', 'how many to keep; without any bound: as configured')
    .option('--days <n>', 'delete those that are older')
    .option('--size <size>', 'the most that all of them may take: 20G')
    .option('-n, --dry-run', 'say what would be deleted')
    .action(async (options: PruneArguments & { root: string }) => {
      const { runPrune } = await import('./kdump_crashes.ts');
      setStatus(runPrune(options.root, options));
    });
  kdump
    .command('recover')
    .description('read crashes out of raw partitions into /var/crash')
    .argument('[device...]', 'without: those that are configured')
    .action(async (devices: string[]) => {
      const { runRecover } = await import('./kdump_crashes.ts');
      setStatus(runRecover(devices));
    });
  kdump
    .command('receive')
    .description('on the host that takes dumps over SSH: all that a key may do for which authorized_keys names it')
    .argument('<dir>', "the target's path")
    .action(async (dir: string) => {
      const { runReceive } = await import('./kdump_crashes.ts');
      setStatus(runReceive(dir));
    });
  kdump
    .command('notice', { hidden: true })
    .description('at boot: tell of crashes since the last one')
    .action(async () => {
      const { runNotice } = await import('./kdump_crashes.ts');
      setStatus(runNotice());
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
      const { runCaptureVerdict } = await import('./kdump_capture_verdict.ts');
      setStatus(runCaptureVerdict(vmcore, folder));
    });
}
