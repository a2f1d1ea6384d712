// /etc/inquest/kdump.toml: read, checked, and written with its comments.
import { parse, TomlError } from 'smol-toml';
import { sizeOf } from '../command_line.ts';
import type { HostRoot } from '../root.ts';
import type { Remark } from './assignments.ts';
import { type CaptureConfig, defaultConfig, type Target } from './capture_config.ts';
import type { Configuration } from './distribution.ts';

export const configPath = '/etc/inquest/kdump.toml';

/** Null where there is none. */
export function readInquestConfig(root: HostRoot): Configuration | null {
  const text = root.text(configPath);
  if (text === null) return null;
  const { config, remarks } = parseConfig(text);
  return { family: 'inquest', files: [{ path: configPath, settings: [], remarks }], config, without: [], isOn: true };
}

/** What is wrong is remarked, and its default stands. */
export function parseConfig(text: string): { readonly config: CaptureConfig; readonly remarks: readonly Remark[] } {
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const problem = error.message.split('\n')[0]!;
    return { config: defaultConfig, remarks: [{ severity: 'error', line: error.line, text: problem }] };
  }
  const reader = new TableReader(table, text, '');
  const limits = reader.table('limits');
  const retention = reader.table('retention');
  const size = retention?.text('size') ?? null;
  const bytes = size === null ? null : sizeOf(size);
  if (retention !== null && size !== null && bytes === null)
    retention.say('size', `is a size such as 20G, not ${size}`);
  const config: CaptureConfig = {
    targets: reader.tables('target').flatMap(targetOf),
    everyTarget: reader.yes('every-target') ?? defaultConfig.everyTarget,
    mini: reader.yes('mini') ?? defaultConfig.mini,
    full: reader.yes('full') ?? defaultConfig.full,
    level: reader.number('level', 31) ?? defaultConfig.level,
    compression: reader.choice('compression', ['zstd', 'zlib', 'lzo', 'snappy', 'none']) ?? defaultConfig.compression,
    limits: {
      verdict: limits?.number('verdict', 86400) ?? defaultConfig.limits.verdict,
      mini: limits?.number('mini', 86400) ?? defaultConfig.limits.mini,
      full: limits?.number('full', 86400) ?? defaultConfig.limits.full,
      target: limits?.number('target', 86400) ?? defaultConfig.limits.target,
    },
    finalAction: reader.choice('final-action', ['reboot', 'halt', 'poweroff']) ?? defaultConfig.finalAction,
    failureAction:
      reader.choice('failure-action', ['reboot', 'halt', 'poweroff', 'shell', 'root']) ?? defaultConfig.failureAction,
    netconsole: reader.text('netconsole', /^\S+:\d{1,5}$/, 'ADDRESS:PORT'),
    append: reader.text('append') ?? '',
    modules: reader.words('modules'),
    crashkernel: reader.text('crashkernel'),
    retention: {
      number: retention?.number('number', 1e6) ?? null,
      days: retention?.number('days', 1e6) ?? null,
      size: bytes,
    },
  };
  limits?.end();
  retention?.end();
  reader.end();
  if (config.targets.length === 0)
    reader.remarks.push({ severity: 'error', line: null, text: 'no [[target]] says where dumps go' });
  if (!/^[^\n\0]*$/.test(config.append) || /(^|\s)crashkernel=/.test(config.append))
    reader.say('append', 'must be one line, and without crashkernel=');
  return { config, remarks: reader.remarks };
}

function targetOf(table: TableReader): Target[] {
  const kind = table.choice('type', ['directory', 'raw', 'nfs', 'ssh', 'https', 'virtiofs']);
  const path = (): string => table.text('path', /^\/[^\0]*$/, 'an absolute path') ?? '/var/crash';
  const need = (name: string, pattern = /^[^\0\n]+$/, says = 'a text'): string | null => {
    const value = table.text(name, pattern, says);
    if (value === null) table.say(name, 'is missing');
    return value;
  };
  const target = ((): Target | null => {
    switch (kind) {
      case 'directory':
        return {
          kind,
          device: table.text('device', /^(UUID=|LABEL=|\/dev\/)\S+$/, 'UUID=..., LABEL=... or a device'),
          fstype: table.text('fstype', /^\w+$/, 'the name of a file system'),
          path: path(),
        };
      case 'raw': {
        const device = need('device', /^(PARTUUID=|PARTLABEL=|\/dev\/)\S+$/, 'PARTUUID=..., PARTLABEL=... or a device');
        return device === null ? null : { kind, device };
      }
      case 'nfs': {
        const source = need('source', /^(\[.+\]|[^:\s]+):\/\S*$/, 'HOST:/PATH');
        const options = table.text('options', /^\S+$/, 'mount options');
        return source === null ? null : { kind, source, options, path: path() };
      }
      case 'ssh': {
        const host = need('host', /^[^@\s-][^@\s]*@[^\s:-][^\s:]*$/, 'USER@HOST');
        const key = need('key', /^\//, 'the path of a key');
        const knownHosts = need('known-hosts', /^\//, 'the path of a known_hosts file');
        const port = table.number('port', 65535);
        const where = path();
        return host === null || key === null || knownHosts === null
          ? null
          : { kind, host, port, key, knownHosts, path: where };
      }
      case 'https': {
        const url = need('url', /^https:\/\/\S+$/, 'an https URL');
        const tokenFile = table.text('token-file', /^\//, 'the path of a file');
        const caFile = table.text('ca-file', /^\//, 'the path of a file');
        return url === null ? null : { kind, url, tokenFile, caFile };
      }
      case 'virtiofs': {
        const tag = need('tag');
        const where = path();
        return tag === null ? null : { kind, tag, path: where };
      }
      case null:
        table.say('type', 'is missing');
        return null;
    }
  })();
  table.end();
  return target === null ? [] : [target];
}

/** Takes values out of a table, and remarks what is of a wrong type, or was not asked for. */
class TableReader {
  readonly remarks: Remark[];
  readonly #table: Readonly<Record<string, unknown>>;
  readonly #text: string;
  readonly #prefix: string;
  /** The line where the table starts: 0 and up. */
  readonly #from: number;
  readonly #asked = new Set<string>();

  constructor(
    table: Readonly<Record<string, unknown>>,
    text: string,
    prefix: string,
    from = 0,
    remarks: Remark[] = [],
  ) {
    this.#from = from;
    this.#table = table;
    this.#text = text;
    this.#prefix = prefix;
    this.remarks = remarks;
  }

  say(name: string, problem: string): void {
    const setting = new RegExp(`^[ \\t]*"?${name.replace(/[^\w-]/g, '.')}"?[ \\t]*=`);
    const line = this.#text.split('\n').findIndex((one, i) => i >= this.#from && setting.test(one));
    this.remarks.push({
      severity: 'error',
      line: line < 0 ? null : line + 1,
      text: `${this.#prefix}${name} ${problem}`,
    });
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
  }

  text(name: string, pattern = /^[^\0]*$/, says = 'a text'): string | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.say(name, `is ${says}, not ${JSON.stringify(value)}`);
    return null;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.say(name, `is one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
    return found ?? null;
  }

  number(name: string, most: number): number | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
    this.say(name, `is a whole number up to ${most}, not ${JSON.stringify(value)}`);
    return null;
  }

  yes(name: string): boolean | null {
    const value = this.#take(name);
    if (value === undefined || typeof value === 'boolean') return value ?? null;
    this.say(name, `is true or false, not ${JSON.stringify(value)}`);
    return null;
  }

  words(name: string): readonly string[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    if (
      Array.isArray(value) &&
      value.every((word): word is string => typeof word === 'string' && /^[\w-]+$/.test(word))
    )
      return value;
    this.say(name, 'is a list of names');
    return [];
  }

  table(name: string): TableReader | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    if (isTable(value))
      return new TableReader(value, this.#text, `${name}.`, this.#header(`[${name}]`, 0), this.remarks);
    this.say(name, 'is a table');
    return null;
  }

  tables(name: string): readonly TableReader[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every(isTable))
      return value.map(
        (one, i) => new TableReader(one, this.#text, `target ${i + 1}: `, this.#header(`[[${name}]]`, i), this.remarks),
      );
    this.say(name, 'is written as [[target]]');
    return [];
  }

  /** The line of the n-th header of a kind; 0 where there is none. */
  #header(header: string, n: number): number {
    const lines = this.#text.split('\n').flatMap((line, i) => (line.trim().startsWith(header) ? [i] : []));
    return lines[n] ?? 0;
  }

  /** Remarks what nobody asked for. */
  end(): void {
    for (const name of Object.keys(this.#table)) if (!this.#asked.has(name)) this.say(name, 'is no setting');
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The configuration as its file. `parseConfig` gives the same back. */
export function writeConfig(config: CaptureConfig): string {
  const quote = (text: string): string => JSON.stringify(text);
  const optional = (name: string, value: string | number | null, example: string): string =>
    value === null ? `# ${name} = ${example}` : `${name} = ${typeof value === 'number' ? value : quote(value)}`;
  return `# What inquest does after a panic. \`inquest kdump check\` says whether it would work, and
# \`inquest kdump rebuild\` makes the capture initramfs anew from it.

# Seconds after the panic the log and the verdict are written to every target; then follow:
mini = ${config.mini}                  # a small dump that answers most questions
full = ${config.full}                  # the dump itself, filtered:
level = ${config.level}                   # leaves out: 1 zero pages, 2 and 4 page cache, 8 processes, 16 free pages
compression = ${quote(config.compression)}         # zstd, zlib, lzo, snappy, none
every-target = ${config.everyTarget}         # false: the first target that takes the dump is enough

final-action = ${quote(config.finalAction)}      # reboot, halt, poweroff
failure-action = ${quote(config.failureAction)}    # the same, or shell, or root: save to the root file system
${optional('netconsole', config.netconsole, '"192.0.2.1:6666"')}   # where the verdict is sent by UDP
append = ${quote(config.append)}                  # more for the capture kernel's command line
modules = [${config.modules.map(quote).join(', ')}]                 # more modules for the capture kernel
${optional('crashkernel', config.crashkernel, '"256M"')}           # what setup writes into the boot loader's configuration

[limits]                     # seconds that a step may take
verdict = ${config.limits.verdict}
mini = ${config.limits.mini}
full = ${config.limits.full}
target = ${config.limits.target}                  # to reach a target

[retention]                  # the first and the last crash of each kind are always kept
${optional('number', config.retention.number, '10')}
${optional('days', config.retention.days, '90')}
${optional('size', config.retention.size === null ? null : sizeText(config.retention.size), '"20G"')}

# Targets, in the order in which they are tried:
#   type = "directory"  path, device = "UUID=..." (without: the file system that holds path), fstype
#   type = "raw"        device: a partition without a file system
#   type = "nfs"        source = "host:/export", path, options
#   type = "ssh"        host = "user@host", port, key, known-hosts, path
#   type = "https"      url, token-file, ca-file (resumable uploads: tus)
#   type = "virtiofs"   tag, path
${config.targets.map((target) => `\n[[target]]\n${targetLines(target).join('\n')}\n`).join('')}`;
}

function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['G', 1024 ** 3],
    ['M', 1024 ** 2],
    ['K', 1024],
  ] as const) {
    if (bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

function targetLines(target: Target): readonly string[] {
  const line = (name: string, value: string | number | null): string[] =>
    value === null ? [] : [`${name} = ${typeof value === 'number' ? value : JSON.stringify(value)}`];
  const first = line('type', target.kind);
  switch (target.kind) {
    case 'directory':
      return [
        ...first,
        ...line('device', target.device),
        ...line('fstype', target.fstype),
        ...line('path', target.path),
      ];
    case 'raw':
      return [...first, ...line('device', target.device)];
    case 'nfs':
      return [
        ...first,
        ...line('source', target.source),
        ...line('options', target.options),
        ...line('path', target.path),
      ];
    case 'ssh':
      return [
        ...first,
        ...line('host', target.host),
        ...line('port', target.port),
        ...line('key', target.key),
        ...line('known-hosts', target.knownHosts),
        ...line('path', target.path),
      ];
    case 'https':
      return [
        ...first,
        ...line('url', target.url),
        ...line('token-file', target.tokenFile),
        ...line('ca-file', target.caFile),
      ];
    case 'virtiofs':
      return [...first, ...line('tag', target.tag), ...line('path', target.path)];
  }
}
