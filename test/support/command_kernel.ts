// A synthetic kernel with what commands ask for besides: symbols looked up in every way, per-CPU variables,
// code; and a way to run a command line on it.
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import type { Command } from '../../src/commands/command.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import type { KernelSymbol, SymbolPlace } from '../../src/debuginfo/symbol.ts';
import type { Type } from '../../src/debuginfo/type.ts';
import { type CommandOutput, run } from './run_command.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';

export class CommandKernel extends SyntheticKernel {
  readonly context = new CommandContext(this.session, commandTable);
  private readonly offsets: readonly bigint[];
  /** Further symbols of a name, and those of types other than `D`. */
  private readonly more: KernelSymbol[] = [];

  /** @param perCpu what each CPU adds to a per-CPU address */
  constructor(declarations: string, perCpu: readonly bigint[] = []) {
    super(declarations);
    this.offsets = perCpu;
  }

  override get cpus() {
    const possible = this.offsets.map((_, cpu) => cpu);
    return { possible, present: possible, online: possible, running: possible };
  }

  override get modules() {
    return [];
  }

  override get symbols() {
    const all = (): KernelSymbol[] =>
      [...super.symbols.all(), ...this.more].sort((a, b) =>
        a.address < b.address ? -1 : a.address > b.address ? 1 : 0,
      );
    return {
      all,
      find: (name: string) => all().find((symbol) => symbol.name === name) ?? null,
      findAll: (name: string) => all().filter((symbol) => symbol.name === name),
      search: (text: string) => all().filter(({ name }) => name.includes(text)),
      next: (address: VirtAddr) => all().find((symbol) => symbol.address > address) ?? null,
      previous: (address: VirtAddr) => all().findLast((symbol) => symbol.address < address) ?? null,
      at: (address: VirtAddr) => this.place(address),
      ofModule: () => null,
    };
  }

  override place(address: VirtAddr): SymbolPlace | null {
    const symbol = this.symbols.all().findLast((s) => s.address <= address && address < s.address + BigInt(s.size));
    return symbol === undefined ? null : { symbol, offset: Number(address - symbol.address) };
  }

  override perCpuOffset(cpu: number): bigint {
    return this.offsets[cpu] ?? 0n;
  }

  perCpuAddress(name: string, cpu: number): VirtAddr {
    return virtAddr(this.address(name) + this.perCpuOffset(cpu));
  }

  functionType(): Type | null {
    return null;
  }

  /** A function of these bytes. */
  code(name: string, bytes: string): VirtAddr {
    const code = Buffer.from(bytes.replaceAll(' ', ''), 'hex');
    const address = this.reserve(code.length);
    this.space.write(address, code);
    this.more.push({ name, address, type: 't', size: code.length, module: null });
    return address;
  }

  /** Runs a command on a line of words. */
  run(command: Command, line: string): CommandOutput {
    const words = line.split(' ').filter((word) => word !== '');
    return run(command, this.context, words);
  }
}

/** Lines without the newline at the end. */
export function lines(output: CommandOutput): string[] {
  return output.text.split('\n').slice(0, -1);
}
