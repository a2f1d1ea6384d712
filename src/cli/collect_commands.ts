// The program's commands that collect what kernels leave without a dump.
import { type Command, Option } from 'commander';
import { UsageError } from '../base/errors.ts';
import type { ReportFormat } from '../report/render.ts';

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
  program
    .command('listen')
    .description('receive netconsole packets and follow serial logs, keep them, and tell of incidents as they happen')
    .argument('<dir>', 'where to keep a log for each boot of each machine')
    .option('-p, --port <port>', 'UDP port, may be given more than once; without: 6666', numbers(1, 65535), [])
    .option(
      '--address <address>',
      'address to listen on, may be given more than once; without: 0.0.0.0 and ::',
      words,
      [],
    )
    .option('--threads <n>', 'that receive', number(1, 64), 1)
    .option(
      '--sockets <n>',
      'a port, address and thread: the more, the longer a pause that loses nothing',
      number(1, 256),
      16,
    )
    .option('--follow <file>', 'a plain log to follow through rotation, may be given more than once', words, [])
    .option('--allow <network>', 'who may send, may be given more than once; without: everybody', words, [])
    .option('--command <command>', 'run by /bin/sh for each incident: data in INQUEST_* and as JSON on standard input')
    .option('--metrics-port <port>', 'loopback port of /metrics (Prometheus) and /health', number(0, 65535))
    .option('--max-sources <n>', 'machines that are kept apart', number(1, 1_000_000), 4096)
    .option('--max-packets <n>', 'a second, that a source may send', number(1, 10_000_000), 20_000)
    .option('--max-bytes <size>', 'a second, that a source may send', size, 20 << 20)
    .option('--file-size <size>', 'after which a log goes on in another file', size, 64 << 20)
    .option('--file-hours <n>', 'after which a log goes on in another file', number(1, 100_000), 24 * 7)
    .option('--host-quota <size>', 'for the logs of one machine; the oldest go', size, 1 << 30)
    .option('--json', 'print incidents as JSON')
    .action(async (directory: string, options: ListenFlags) => {
      const { runListen } = await import('./listen.ts');
      const ports = options.port.length > 0 ? options.port : options.follow.length > 0 ? [] : [6666];
      const status = await runListen(
        {
          directory,
          limits: {
            sourcePackets: options.maxPackets,
            sourceBytes: options.maxBytes,
            sources: options.maxSources,
            fileBytes: options.fileSize,
            fileAge: options.fileHours * 3_600_000,
            hostBytes: options.hostQuota,
          },
          networks: options.allow,
          sockets: {
            addresses: options.address.length > 0 ? options.address : ['0.0.0.0', '::'],
            ports,
            count: options.sockets,
          },
          threads: options.threads,
          follow: options.follow,
          command: options.command ?? null,
          metricsPort: options.metricsPort ?? null,
        },
        options.json ?? false,
      );
      done(status);
    });
  program
    .command('incident')
    .description('everything that one death left (dumps, logs, pstore, netconsole, journal), as one incident')
    .argument('<source...>', 'files, or a folder of them such as /var/crash')
    .addOption(
      new Option('--format <format>', 'how to write it').choices(['text', 'markdown', 'html', 'json']).default('text'),
    )
    .option('--json', 'same as --format json')
    .option('-o, --output <file>', 'write to a file instead of standard output')
    .action(async (sources: string[], options: IncidentFlags) => {
      const { runIncident } = await import('./incident.ts');
      done(
        await runIncident(sources, { format: options.json ? 'json' : options.format, output: options.output ?? null }),
      );
    });
  program
    .command('mce')
    .description(
      'read what hardware said of itself (machine checks, EDAC, AER, firmware), and say which part to change',
    )
    .argument(
      '<source...>',
      "a log, a dump, pstore, an ERST or BERT image, mcelog's or rasdaemon's text; - for standard input",
    )
    .option('--all', 'every error, not the advice alone')
    .option('--json', 'print JSON')
    .action(async (sources: string[], options: MceFlags) => {
      const { runMce } = await import('./mce.ts');
      done(await runMce(sources, { all: options.all ?? false, json: options.json ?? false }));
    });
  program
    .command('netconsole')
    .description("work out what this machine's netconsole must be told to reach a receiver; set it up and test it")
    .argument('[receiver]', 'HOST[:PORT] where inquest listen runs; the port is 6666 without')
    .option('--device <name>', 'to send from; without: the one on the way')
    .option('--local-port <port>', 'to send from', number(1, 65535), 6665)
    .option('--basic', 'plain text, without numbers by which losses are seen')
    .option('--name <name>', 'of the target', 'inquest')
    .option('--apply', 'set it up, until the next boot')
    .option('--test', 'have the kernel print a marked message, and wait for the answer of the receiver')
    .option('--show', 'say what is set up')
    .option('--remove', 'take the target away')
    .option('--json', 'print JSON')
    .action(async (receiver: string | undefined, options: NetconsoleFlags) => {
      const { runNetconsole } = await import('./netconsole.ts');
      const status = await runNetconsole(receiver ?? null, {
        device: options.device ?? null,
        localPort: options.localPort,
        basic: options.basic ?? false,
        name: options.name,
        apply: options.apply ?? false,
        test: options.test ?? false,
        show: options.show ?? false,
        remove: options.remove ?? false,
        json: options.json ?? false,
      });
      done(status);
    });
}

interface IncidentFlags {
  format: ReportFormat;
  json?: boolean;
  output?: string;
}

interface MceFlags {
  all?: boolean;
  json?: boolean;
}

interface NetconsoleFlags {
  device?: string;
  localPort: number;
  basic?: boolean;
  name: string;
  apply?: boolean;
  test?: boolean;
  show?: boolean;
  remove?: boolean;
  json?: boolean;
}

interface ListenFlags {
  port: number[];
  address: string[];
  threads: number;
  sockets: number;
  follow: string[];
  allow: string[];
  command?: string;
  metricsPort?: number;
  maxSources: number;
  maxPackets: number;
  maxBytes: number;
  fileSize: number;
  fileHours: number;
  hostQuota: number;
  json?: boolean;
}

const words = (value: string, previous: readonly string[]): string[] => [...previous, value];

function number(low: number, high: number): (value: string) => number {
  return (value) => {
    const parsed = /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
    if (!(parsed >= low && parsed <= high)) throw new UsageError(`not a number from ${low} to ${high}: ${value}`);
    return parsed;
  };
}

const numbers =
  (low: number, high: number) =>
  (value: string, previous: readonly number[]): number[] => [...previous, number(low, high)(value)];
