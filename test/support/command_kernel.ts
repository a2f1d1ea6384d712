// A synthetic kernel with what commands ask for besides: per-CPU variables, code; and a way to run a command line on it.
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import type { Command } from '../../src/commands/command.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { type CommandOutput, run } from './run_command.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';

export class CommandKernel extends SyntheticKernel {
  readonly context = new CommandContext(this);

  /** @param perCpu what each CPU adds to a per-CPU address */
  constructor(declarations: string, perCpu: readonly bigint[] = []) {
    const possible = perCpu.map((_, cpu) => cpu);
    super(declarations, '', () => ({
      cpus: () => ({ possible, present: possible, online: possible, running: possible }),
      modules: () => [],
    }));
    if (perCpu.length === 0) return;
    const offsets = virtAddr(0xffff_ffff_9000_0000n);
    this.space.words(offsets, ...perCpu);
    this.define('__per_cpu_offset', offsets, perCpu.length * 8);
  }

  /** A function of these bytes. */
  code(name: string, bytes: string): VirtAddr {
    const code = Buffer.from(bytes.replaceAll(' ', ''), 'hex');
    const address = this.reserve(code.length);
    this.space.write(address, code);
    this.label(name, address, code.length);
    return address;
  }

  /** Names a place in code that was put in with `code`. */
  label(name: string, address: bigint, size: number): void {
    this.ownSymbols.add({ name, address: virtAddr(address), type: 't', size, module: null });
    this.forget();
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
