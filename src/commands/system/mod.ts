// mod: the loaded modules.

import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import type { ModuleRange } from '../../kernel/module.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag } from '../params.ts';

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
    description: `Lists the loaded modules by address: the struct module, name, where it lies, and its size in bytes.
Their symbols and types are read from the dump; there is nothing to load.`,
    examples: [
      ['mod', 'all modules'],
      ['mod -t', 'modules to be suspicious of'],
    ],
  },
  params: {
    taints: flag(
      't',
      `only the modules that taint the kernel, with letters: P proprietary, O out of tree, F forced,
C staging, E unsigned, K live patch, X and N as the distribution or a test set them`,
    ),
  },
  collect: (context, options) => collectMod(context, options.taints),
  render: renderMod,
});

function collectMod(context: CommandContext, onlyTainted: boolean): ModData {
  context.kernel.address('modules'); // not to be there is not to be empty
  const modules = context.kernel.modules.map((module) => ({
    module: module.object.address,
    name: module.name,
    base: module.base,
    size: module.size,
    state: module.state,
    refcount: module.refcount,
    usedBy: module.usedBy,
    taints: module.taints,
    ranges: module.ranges,
  }));
  modules.sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  return {
    modules: onlyTainted ? modules.filter(({ taints }) => taints !== '') : modules,
    show: onlyTainted ? 'taints' : 'list',
    apart: context.kernel.modules[0]?.object.has('mem') === true,
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
    ({ module, base, size }, i) =>
      `${hex16(module)}  ${names[i]!.padEnd(width)}  ${hex16(base)}  ${String(size).padStart(sizeWidth)}  (not loaded)  [CONFIG_KALLSYMS]\n`,
  );
  return head + rows.join('');
}
