// A set of addresses in a few bytes each: walks of long lists remember where they were, and a Set of bigints would take
// ten times as much.

const firstSlots = 16;
/** The table of every empty set: most lists are empty, and a table of its own takes longer to make than such a list to walk. */
const nothing = new BigUint64Array(firstSlots);

/** Open addressing: the addresses themselves in a table, 0 where nothing is. */
export class AddressSet {
  private table = nothing;
  private used = 0;
  private hasZero = false;

  get size(): number {
    return this.used + (this.hasZero ? 1 : 0);
  }

  has(address: bigint): boolean {
    return address === 0n ? this.hasZero : this.table[this.slotOf(address)] === address;
  }

  /** @returns false if it was there already */
  add(address: bigint): boolean {
    if (address === 0n) {
      const isNew = !this.hasZero;
      this.hasZero = true;
      return isNew;
    }
    const slot = this.slotOf(address);
    if (this.table[slot] === address) return false;
    if (this.table === nothing) this.table = new BigUint64Array(firstSlots);
    this.table[slot] = address;
    if (++this.used * 3 > this.table.length * 2) this.grow();
    return true;
  }

  /** Where an address is, or would go. */
  private slotOf(address: bigint): number {
    const { table } = this;
    const mask = table.length - 1;
    // pointers differ in their middle: both halves are mixed, as a multiplication does
    const low = Number(BigInt.asUintN(32, address));
    const high = Number(address >> 32n) | 0;
    let hash = Math.imul(low ^ (low >>> 15) ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
    hash ^= hash >>> 15;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = table[slot]!;
      if (found === 0n || found === address) return slot;
    }
  }

  private grow(): void {
    const { table } = this;
    this.table = new BigUint64Array(table.length * 2);
    for (const address of table) {
      if (address !== 0n) this.table[this.slotOf(address)] = address;
    }
  }
}
