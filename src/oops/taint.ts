// Taint letters (Documentation/admin-guide/tainted-kernels.rst; taint_flags[] in kernel/panic.c).

export interface TaintFlag {
  readonly letter: string;
  readonly meaning: string;
}

export interface Taint {
  /** The letters as printed, without padding; empty: `Not tainted`. */
  readonly text: string;
  readonly flags: readonly TaintFlag[];
}

/** What each letter means. */
export const taintMeanings: Readonly<Record<string, string>> = {
  P: 'a proprietary module was loaded',
  F: 'a module was loaded by force',
  S: 'the CPU or the system is out of specification',
  R: 'a module was unloaded by force',
  M: 'the processor reported a machine check',
  B: 'a bad page was found, or page flags were unexpected',
  U: 'taint was requested from user space',
  D: 'the kernel died (oops or BUG) before',
  A: 'an ACPI table was overridden',
  W: 'a warning was issued before',
  C: 'a staging driver was loaded',
  I: 'a workaround for a firmware bug is in use',
  O: 'an out-of-tree module was loaded',
  E: 'an unsigned module was loaded',
  L: 'a soft lockup occurred before',
  K: 'the kernel was live patched',
  X: 'auxiliary taint, used by distributions',
  T: 'the kernel was built with randomised structure layout',
  N: 'an in-kernel test was run',
  J: "user space used a firmware control interface's mutating debug command",
};

/** Reads the letters of `Tainted: G        W  OE`. `G` is the absence of `P` and is no flag. */
export function parseTaint(letters: string): Taint {
  const text = letters.replace(/\s+/g, '');
  const flags: TaintFlag[] = [];
  for (const letter of text) {
    if (letter === 'G' || flags.some((flag) => flag.letter === letter)) continue;
    flags.push({ letter, meaning: taintMeanings[letter] ?? 'unknown taint flag' });
  }
  return { text, flags };
}
