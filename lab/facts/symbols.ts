// Symbols: everything in /proc/kallsyms is in `sym -l`, at the same address.
import type { Fact } from '../fact.ts';

export const symbols: Fact = {
  name: 'symbols',
  commands: ['sym -l'],
  compare(world, [text = ''], tally) {
    const listed = new Set(
      [...text.matchAll(/^([0-9a-f]+) \(\S\) (\S+)/gm)].map(
        ([, address, name]) => `${BigInt(`0x${address}`).toString(16)} ${name}`,
      ),
    );
    const exported = new Set(
      world.picture.symbols
        .filter(({ name }) => name.startsWith('__ksymtab_'))
        .map(({ name, module }) => `${name.slice('__ksymtab_'.length)} ${module}`),
    );
    for (const { address, type, name, module } of world.picture.symbols) {
      // Generated at run time, in tables of their own.
      if (module !== undefined && name.startsWith('$')) continue; // marks of where code and data begin
      if (module === 'bpf' || module?.startsWith('__builtin__')) continue;
      if (listed.has(`${address.toString(16)} ${visible(name)}`)) tally.same();
      // kernel/trace/ftrace.c, ftrace_mod_get_kallsym(): always as if it were exported
      else if (module !== undefined && type === 'T' && !exported.has(`${name} ${module}`))
        tally.moved('a function of init code that was given back, which ftrace remembers');
      else
        tally.fault(
          `symbol ${name}${module === undefined ? '' : ` of ${module}`} at ${address.toString(16)}: not in sym -l`,
        );
    }
  },
};

/** Control characters as a terminal may be shown them: compilers leave some in local labels (`.L14472\x022`). */
function visible(name: string): string {
  return name.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
