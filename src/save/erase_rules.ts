// makedumpfile's language of what is to be erased (makedumpfile.conf(5)), over the types of the dump.
//
//   [vmlinux]                                       names of the kernel; [name]: of a module, if it is loaded
//   erase SYMBOL.member... [size NUMBER[K|M] | size SYMBOL.member... | nullify]
//   for ID in ARRAY                                 each element
//   for ID in STRUCT via MEMBER                     along pointers to the same
//   for ID in LIST_HEAD within STRUCT:MEMBER        each struct of a list
//     erase ID.member ...
//   endfor
//
// '.' leads through pointers, too. What a pointer points to is erased; of a char *, a string of at most 1024 bytes.
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError, InquestError, MemoryFault, NotFoundError } from '../base/errors.ts';
import { KernelObject } from '../debuginfo/object.ts';
import { sizeOf, strip } from '../debuginfo/type.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { listEntries } from '../kernel/list.ts';
import type { ErasureBuilder } from './erasure.ts';

interface EraseCommand {
  readonly line: number;
  readonly path: string;
  readonly how:
    | { readonly kind: 'whole' | 'nullify' }
    | { readonly kind: 'bytes'; readonly size: number }
    | { readonly kind: 'sized'; readonly path: string };
}

interface Loop {
  readonly line: number;
  readonly id: string;
  readonly path: string;
  readonly over:
    | { readonly kind: 'array' }
    | { readonly kind: 'via'; readonly member: string }
    | { readonly kind: 'within'; readonly type: string; readonly member: string };
  readonly commands: readonly EraseCommand[];
}

/** The rules for the kernel (`vmlinux`) or a module. */
export interface EraseSection {
  readonly module: string;
  readonly rules: readonly (EraseCommand | Loop)[];
}

const pathPattern = '[A-Za-z_][\\w]*(?:\\[\\d+\\])*(?:\\.[A-Za-z_]\\w*(?:\\[\\d+\\])*)*';
const erasePattern = new RegExp(`^erase (${pathPattern})(?: (nullify)| size (?:(\\d+)([kKmM]?)|(${pathPattern})))?$`);
const forPattern = new RegExp(`^for (\\w+) in (${pathPattern})(?: via (\\w+)| within (?:struct )?(\\w+):([\\w.]+))?$`);

/** Elements of a loop at most. */
const mostElements = 1_000_000;
/** Bytes of a string at most, and of anything erased. */
const longestString = 1024;
const longest = 2 ** 30;

/** @throws FormatError with the line that is no rule */
export function parseEraseRules(text: string): EraseSection[] {
  const sections: { module: string; rules: (EraseCommand | Loop)[] }[] = [];
  let open: { loop: Omit<Loop, 'commands'>; commands: EraseCommand[] } | null = null;
  const wrong = (line: number, why: string): never => {
    throw new FormatError(`erase rules, line ${line}`, why);
  };
  for (const [i, raw] of text.split('\n').entries()) {
    const line = i + 1;
    const words = raw.replace(/#.*/, '').trim().replaceAll(/\s+/g, ' ');
    if (words === '') continue;
    const section = /^\[(\w[\w-]*)\]$/.exec(words);
    if (section !== null) {
      if (open !== null) wrong(line, 'a section begins inside a loop');
      sections.push({ module: section[1]!, rules: [] });
      continue;
    }
    if (sections.length === 0) sections.push({ module: 'vmlinux', rules: [] });
    const { rules } = sections.at(-1)!;
    const erase = erasePattern.exec(words);
    const loop = forPattern.exec(words);
    if (erase !== null) (open?.commands ?? rules).push(eraseCommand(line, erase));
    else if (loop !== null && open === null) {
      const [, id = '', path = '', via, type, member] = loop;
      open = {
        commands: [],
        loop: {
          line,
          id,
          path,
          over:
            via !== undefined
              ? { kind: 'via', member: via }
              : type !== undefined
                ? { kind: 'within', type, member: member! }
                : { kind: 'array' },
        },
      };
    } else if (words === 'endfor' && open !== null) {
      rules.push({ ...open.loop, commands: open.commands });
      open = null;
    } else wrong(line, loop !== null ? 'a loop inside a loop' : `not understood: ${words.slice(0, 80)}`);
  }
  if (open !== null) wrong(open.loop.line, 'the loop has no endfor');
  return sections;
}

function eraseCommand(line: number, [, path = '', nullify, number, unit = '', sized]: RegExpExecArray): EraseCommand {
  if (nullify !== undefined) return { line, path, how: { kind: 'nullify' } };
  if (sized !== undefined) return { line, path, how: { kind: 'sized', path: sized } };
  if (number === undefined) return { line, path, how: { kind: 'whole' } };
  const scale = { '': 1, k: 1024, m: 1024 ** 2 }[unit.toLowerCase()] ?? 1;
  return { line, path, how: { kind: 'bytes', size: Number(number) * scale } };
}

/**
 * Adds what rules tell to erase.
 * @returns what could not be done, as sentences: names that the kernel has not, memory that is not there
 */
export function applyEraseRules(kernel: Kernel, sections: readonly EraseSection[], erased: ErasureBuilder): string[] {
  const problems: string[] = [];
  for (const { module, rules } of sections) {
    if (module !== 'vmlinux' && !kernel.modules.some(({ name }) => name === module)) {
      problems.push(`module ${module} is not loaded: its rules are passed over`);
      continue;
    }
    const run = new Run(kernel, module === 'vmlinux' ? null : module, erased, problems);
    for (const rule of rules) run.rule(rule);
  }
  return problems;
}

class Run {
  private readonly kernel: Kernel;
  private readonly module: string | null;
  private readonly erased: ErasureBuilder;
  private readonly problems: string[];

  constructor(kernel: Kernel, module: string | null, erased: ErasureBuilder, problems: string[]) {
    this.kernel = kernel;
    this.module = module;
    this.erased = erased;
    this.problems = problems;
  }

  rule(rule: EraseCommand | Loop): void {
    if (!('over' in rule)) {
      this.attempt(rule.line, () => this.tell(rule, this.erase(rule, null, null)));
      return;
    }
    const sums = new Map<EraseCommand, number>();
    this.attempt(rule.line, () => {
      for (const element of this.elements(rule)) {
        this.kernel.work.charge('nodes', 1);
        for (const command of rule.commands) {
          this.attempt(command.line, () => {
            sums.set(command, (sums.get(command) ?? 0) + this.erase(command, rule.id, element));
          });
        }
      }
    });
    for (const [command, size] of sums) this.tell(command, size);
  }

  private attempt(line: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InquestError)) throw error;
      const problem = `line ${line}: ${error.message}`;
      if (this.problems.length < 100 && !this.problems.includes(problem)) this.problems.push(problem);
    }
  }

  private tell({ path, how }: EraseCommand, size: number): void {
    if (size > 0) this.erased.say(`erase ${path} ${how.kind === 'nullify' ? 'nullify' : `size ${size}`}`);
  }

  private *elements({ path, over }: Loop): Generator<KernelObject> {
    const start = this.object(path, null, null);
    switch (over.kind) {
      case 'array': {
        const { type } = start;
        const stripped = strip(type);
        if (stripped.kind !== 'array') throw new FormatError(path, 'is no array');
        for (let i = 0; i < Math.min(stripped.length, mostElements); i++) yield start.index(i);
        return;
      }
      case 'via': {
        const seen = new Set<VirtAddr>();
        let at = strip(start.type).kind === 'pointer' ? start.deref() : start;
        while (at.address !== 0n && !seen.has(at.address) && seen.size < mostElements) {
          seen.add(at.address);
          yield at;
          const next = at.member(over.member);
          if (next.isNull) return;
          at = next.deref();
        }
        return;
      }
      case 'within': {
        // `head.next` stands for the head: that is its first member
        const head = this.kernel.object('struct list_head', start.address);
        yield* listEntries(head, `struct ${over.type}`, over.member);
        return;
      }
    }
  }

  /** @returns bytes erased */
  private erase({ path, how }: EraseCommand, id: string | null, element: KernelObject | null): number {
    const object = this.object(path, id, element);
    const type = strip(object.type);
    const isPointer = type.kind === 'pointer';
    if (how.kind === 'nullify') {
      if (!isPointer) throw new FormatError(path, 'is no pointer');
      return this.add(object.address, 8, true);
    }
    const size =
      how.kind === 'bytes' ? how.size : how.kind === 'sized' ? this.object(how.path, id, element).number() : null;
    if (isPointer) {
      if (object.isNull) return 0;
      const at = object.pointer();
      if (size !== null) return this.add(at, size);
      const target = strip(type.target);
      if (target.kind === 'void')
        throw new FormatError(path, 'points to what is not known: it needs a size, or nullify');
      if (target.kind === 'int' && sizeOf(target) === 1) return this.add(at, object.string(longestString).length);
      return this.add(at, sizeOf(type.target));
    }
    return this.add(object.address, size ?? (type.kind === 'void' ? this.sizeOfSymbol(path) : sizeOf(object.type)));
  }

  private add(address: VirtAddr, size: number, isNull = false): number {
    if (!Number.isInteger(size) || size < 0 || size > longest) throw new FormatError('size', `${size} is impossible`);
    const { space, dump } = this.kernel;
    const { pageSize } = dump.memory;
    for (let done = 0; done < size; ) {
      const at = offsetBy(address, done);
      const many = Math.min(size - done, pageSize - Number(at & BigInt(pageSize - 1)));
      const start = space.translate(at);
      if (isNull) this.erased.addNull(start, start + many);
      else this.erased.add(start, start + many);
      done += many;
    }
    return size;
  }

  /** What a path names: the loop's element, or a symbol of the section. @throws NotFoundError, MemoryFault */
  private object(path: string, id: string | null, element: KernelObject | null): KernelObject {
    const [, name = '', rest = ''] = /^(\w+)(.*)$/s.exec(path)!;
    let object = name === id && element !== null ? element : this.variable(name);
    for (const [, member, index] of rest.matchAll(/\.(\w+)|\[(\d+)\]/g)) {
      object = member === undefined ? object.index(Number(index)) : object.member(member);
    }
    return object;
  }

  private variable(name: string): KernelObject {
    const { kernel, module } = this;
    const symbol = kernel.symbols.findAll(name).find((one) => one.module === module);
    if (symbol === undefined) throw new NotFoundError('symbol', name, module === null ? '' : `of module ${module}`);
    return KernelObject.at(kernel, kernel.variableType(name) ?? { kind: 'void' }, symbol.address);
  }

  /** Of a variable whose type nobody knows: up to the next symbol. */
  private sizeOfSymbol(path: string): number {
    const symbol = this.kernel.symbols.findAll(path).find((one) => one.module === this.module);
    const size = symbol?.size ?? 0;
    if (size <= 0) throw new MemoryFault('kernel', symbol?.address ?? 0n, 'not-mapped', 'its size is not known');
    return size;
  }
}
