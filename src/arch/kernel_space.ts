// Address spaces with page tables behind them: what every architecture's have in common.
import type { VirtAddr } from '../base/address.ts';
import { AddressSpace } from './address_space.ts';
import type { PageWalk } from './page_walk.ts';

/** Address of a symbol by name, or null. What an architecture learns from kallsyms, which it may not import. */
export type SymbolAddress = (name: string) => VirtAddr | null;

/** An address space that can show its page tables: the kernel's, or a process's. */
export abstract class MappedSpace extends AddressSpace {
  /** The way through the page tables, whatever faster way `translate` may take. Throws nothing. */
  abstract walk(address: VirtAddr): PageWalk;
}

/** Pages of which `isExecutable` remembers its answer. */
const maxRememberedPages = 65536;

/** The kernel's own virtual memory. */
export abstract class KernelSpace extends MappedSpace {
  private readonly executable = new Map<bigint, boolean>();
  private readonly pageShift = BigInt(Math.log2(this.memory.pageSize));

  /**
   * True for an address on a page that the kernel may execute: text of any kind, also that made at run time.
   * Remembered by page. Throws nothing.
   */
  isExecutable(address: VirtAddr): boolean {
    const page = address >> this.pageShift;
    let known = this.executable.get(page);
    if (known === undefined) {
      known = this.mayExecute(this.walk(address));
      if (this.executable.size >= maxRememberedPages) this.executable.clear();
      this.executable.set(page, known);
    }
    return known;
  }

  override forget(): void {
    this.executable.clear();
  }

  /** Whether the kernel may execute what a walk came to. */
  protected abstract mayExecute(walk: PageWalk): boolean;

  /** Enables faster ways of translation, as far as these symbols allow. Throws nothing. */
  useSymbols(_address: SymbolAddress): void {}
}
