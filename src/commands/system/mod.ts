// mod: the loaded modules.

import type { VirtAddr } from '../../base/address.ts';
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { modulesUnder } from '../../debuginfo/files/search.ts';
import type { Module, ModuleRange } from '../../kernel/module.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, optional, valued, values } from '../params.ts';

/** A module as `mod` shows it. */
export interface ModuleRow {
  /** The struct module. */
  readonly module: VirtAddr;
  readonly name: string;
  /** Where its text starts. */
  readonly base: VirtAddr;
  /** Bytes. */
  readonly size: number;
  readonly state: string;
  readonly refcount: number | null;
  readonly usedBy: readonly string[];
  readonly taints: string;
  readonly ranges: readonly ModuleRange[];
  /** The file that debug information is taken from; null for none (or where nobody has asked for any yet). */
  readonly objectFile: string | null;
}

export interface ModData {
  readonly modules: readonly ModuleRow[];
  readonly show: 'list' | 'taints';
  /** Text and data of a module are apart (since 6.4), so its size is more than what follows its base. */
  readonly apart: boolean;
}

export const mod = defineCommand({
  name: 'mod',
  help: {
    summary: 'loaded modules',
    usage: ['[-t]', '-s module [file]', '-S [dir]', '-d module', '-D'],
    description: `Lists the loaded modules by address: the struct module, name, where it lies, its size in bytes, and the
file that debug information is taken from. Symbols and types are read from the dump; a file adds lines, variables, and
what else the dump does not tell. Files that lie in the usual places, or were named on the command line, are taken
when they are needed.`,
    examples: [
      ['mod', 'all modules'],
      ['mod -t', 'modules to be suspicious of'],
      ['mod -s nvme', 'take debug information of a module from where it usually lies'],
      ['mod -s widget ./widget.ko', 'take it from a file'],
    ],
  },
  params: {
    load: valued('s', 'module', values.module, 'take debug information of a module from a file', {
      excludes: ['S', 'd', 'D'],
    }),
    loadAll: flag('S', 'the same for every module; a folder named is looked in first', { excludes: ['s', 'd', 'D'] }),
    drop: valued('d', 'module', values.module, 'take none of this module any more', { excludes: ['s', 'S', 'D'] }),
    dropAll: flag('D', 'take none of any module any more', { excludes: ['s', 'S', 'd'] }),
    readNow: flag('r', ''),
    again: flag('R', ''),
    sections: flag('g', ''),
    old: flag('o', ''),
    taints: flag(
      't',
      `only the modules that taint the kernel, with letters: P proprietary, O out of tree, F forced,
C staging, E unsigned, K live patch, X and N as the distribution or a test set them`,
    ),
    file: optional('file|dir', values.file),
  },
  collect(context, options) {
    const { load, drop, file } = options;
    if (file !== null && load === null && !options.loadAll) throw new UsageError('');
    const { kernel } = context;
    if (drop !== null || options.dropAll) {
      const dropped = options.dropAll ? kernel.modules : [moduleNamed(context, drop!)];
      for (const module of dropped) setFile(context, module, null);
    } else if (load !== null) {
      const module = moduleNamed(context, load);
      if (!loadFile(context, module, file))
        throw new NotFoundError('debug information', `of module ${escapeLine(load)}`);
      return collectMod(context, { only: module, taints: false });
    } else if (options.loadAll) {
      const inFolder = file === null ? new Map<string, string>() : modulesUnder(file);
      for (const module of kernel.modules) loadFile(context, module, inFolder.get(module.name) ?? null);
    }
    return collectMod(context, { only: null, taints: options.taints });
  },
  render: renderMod,
});

function moduleNamed({ kernel }: CommandContext, name: string): Module {
  const module = kernel.modules.find((one) => one.name === name);
  if (module === undefined) throw new NotFoundError('module', escapeLine(name));
  return module;
}

/** Takes a module's debug information from a file, or with null from none. @throws NotFoundError where files are not used at all */
function setFile({ kernel }: CommandContext, module: Module, file: string | null): void {
  const { debugFiles } = kernel;
  if (debugFiles === null) throw new NotFoundError('debug information', 'in files', 'this session was opened without');
  debugFiles.use(module.name, file);
  kernel.reopenDebugInfo(module);
}

/** Takes a module's debug information from a file, with null from where it is found. @returns whether there is some */
function loadFile(context: CommandContext, module: Module, file: string | null): boolean {
  const { kernel } = context;
  setFile(context, module, file);
  if (file === null) kernel.debugFiles?.reset(module.name);
  kernel.reopenDebugInfo(module);
  kernel.debugInfo(module);
  return kernel.debugFiles?.used(module.name) != null;
}

function collectMod(context: CommandContext, { only, taints }: { only: Module | null; taints: boolean }): ModData {
  const { kernel } = context;
  kernel.address('modules'); // not to be there is not to be empty
  const modules = (only === null ? kernel.modules : [only]).map((module) => ({
    module: module.object.address,
    name: module.name,
    base: module.base,
    size: module.size,
    state: module.state,
    refcount: module.refcount,
    usedBy: module.usedBy,
    taints: module.taints,
    ranges: module.ranges,
    objectFile: kernel.debugFiles?.used(module.name) ?? null,
  }));
  modules.sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  return {
    modules: taints ? modules.filter((module) => module.taints !== '') : modules,
    show: taints ? 'taints' : 'list',
    apart: kernel.modules[0]?.object.has('mem') === true,
  };
}

function renderMod({ modules, show, apart }: ModData): string {
  const names = modules.map(({ name }) => escapeLine(name));
  const width = Math.max(4, ...names.map((name) => name.length));
  if (show === 'taints') {
    if (modules.length === 0) return 'no tainted modules\n';
    const rows = modules.map(({ taints }, i) => `${names[i]!.padEnd(width)}  ${taints}\n`);
    return `${'NAME'.padEnd(width)}  TAINTS\n${rows.join('')}`;
  }
  if (modules.length === 0) return 'no modules loaded\n';
  const sizeWidth = Math.max(4, ...modules.map(({ size }) => String(size).length));
  const baseTitle = apart ? '   TEXT_BASE    ' : '      BASE      ';
  const head = `     MODULE       ${'NAME'.padEnd(width)}  ${baseTitle}  ${'SIZE'.padStart(sizeWidth)}  OBJECT FILE\n`;
  const rows = modules.map(
    ({ module, base, size, objectFile }, i) =>
      `${hex16(module)}  ${names[i]!.padEnd(width)}  ${hex16(base)}  ${String(size).padStart(sizeWidth)}  ${
        objectFile === null ? '(not loaded)  [CONFIG_KALLSYMS]' : escapeLine(objectFile)
      }\n`,
  );
  return head + rows.join('');
}
