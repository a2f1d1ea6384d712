// Counts what a fact found: each comparison is equal, explained (the world moved, and why), or wrong.

/** How many explanations and faults are kept in words; the rest is only counted. */
const kept = 12;

export class Tally {
  compared = 0;
  equal = 0;
  explained = 0;
  wrong = 0;
  /** Why, each once, with how often. */
  readonly reasons = new Map<string, number>();
  readonly faults: string[] = [];

  same(count = 1): void {
    this.compared += count;
    this.equal += count;
  }

  /** A difference that has a cause outside the program under test. */
  moved(why: string, count = 1): void {
    this.compared += count;
    this.explained += count;
    this.reasons.set(why, (this.reasons.get(why) ?? 0) + count);
  }

  fault(what: string): void {
    this.compared++;
    this.wrong++;
    if (this.faults.length < kept) this.faults.push(what);
  }

  /** Compares two values; a difference is wrong, unless `why` says what moved. */
  compare(
    what: string,
    picture: string | number | bigint,
    answer: string | number | bigint | undefined,
    why?: string | undefined,
  ): void {
    if (picture === answer) this.same();
    else if (why !== undefined) this.moved(why);
    else this.fault(`${what}: the guest said ${show(picture)}, the dump ${show(answer)}`);
  }
}

function show(value: string | number | bigint | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return value.toString(16);
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
