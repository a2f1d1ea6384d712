// What of people and their data is still in a dump: which pages, which secrets, and texts by where they lie.
import { type Pfn, pfn, physAddr } from '../base/address.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type PageKind, pageFrames, pageKinds } from '../kernel/page_kind.ts';
import { type Secret, type SecretKind, secretKinds } from '../kernel/secrets/secret.ts';
import { secretsOf } from '../kernel/secrets/secrets.ts';
import { slabCacheOf } from '../kernel/slab.ts';
import { CopyFinder } from './copies.ts';

/** Texts in pages of one place. */
export interface AuditedPlace {
  readonly kind: PageKind;
  /** Of slab pages, the cache; null for others and where it cannot be told. */
  readonly cache: string | null;
  /** Page frames whose content is in the dump. */
  readonly pages: number;
  /** Runs of 8 and more printable characters. */
  readonly texts: number;
  /** Their characters. */
  readonly characters: number;
  /** Copies of secrets that are known. */
  readonly copies: number;
}

/** Secrets of one kind that are known by their types. */
export interface AuditedSecrets {
  readonly kind: SecretKind;
  /** How many the kernel has, and how many of them can be read in the dump. */
  readonly known: number;
  readonly readable: number;
  /** Bytes that can be read. */
  readonly bytes: number;
  /** Whose they are, the first few: as in memory, escape them before printing. */
  readonly whose: readonly string[];
}

export interface Audit {
  /** What was left out, as makedumpfile's level; null where the dump does not tell. */
  readonly level: number | null;
  /** What a mini dump holds; null for every other dump. */
  readonly mini: string | null;
  /** What was erased when it was saved, a line each; null for nothing. */
  readonly erased: string | null;
  readonly secrets: readonly AuditedSecrets[];
  /** Most texts first. */
  readonly places: readonly AuditedPlace[];
}

/** Shorter runs of printable characters are in any data. */
const shortestText = 8;
/** Owners of secrets that are named. */
const mostNamed = 5;
/** The byte that erased bytes were written over with. */
const filler = 0x58;

/** Looks through every page. @throws Cancelled */
export function auditDump(kernel: Kernel): Audit {
  const { info, notes } = kernel.dump;
  const secrets = kernel.faults.collect(() => secretsOf(kernel)).value;
  const readable = secrets.filter(isReadable);
  return {
    level: info.level,
    mini: notes.mini?.holds ?? null,
    erased: notes.eraseInfo,
    secrets: secretKinds.map((kind) => {
      const left = readable.filter((secret) => secret.kind === kind);
      return {
        kind,
        known: secrets.filter((secret) => secret.kind === kind).length,
        readable: left.length,
        bytes: left.reduce((sum, { length }) => sum + length, 0),
        whose: [...new Set(left.map(({ what }) => what))].slice(0, mostNamed),
      };
    }),
    places: kernel.faults.collect(() => lookThrough(kernel, readable)).value,
  };
}

function isReadable({ space, address, length }: Secret): boolean {
  const { bytes } = space.readUpTo(address, length);
  return bytes.some((byte) => byte !== filler && byte !== 0);
}

type Counted = { -readonly [K in keyof AuditedPlace]: AuditedPlace[K] };

function lookThrough(kernel: Kernel, secrets: readonly Secret[]): AuditedPlace[] {
  const { memory } = kernel.dump;
  const { pageSize } = memory;
  const frames = pageFrames(kernel);
  const finder = new CopyFinder(secrets.flatMap(({ values }) => values).filter((value) => !value.every(isFiller)));
  const places = new Map<string, Counted>();
  const placeOf = (word: number, frame: Pfn): Counted => {
    const kind = frames === null ? 'none' : (pageKinds[word] ?? 'none');
    const cache = kind === 'slab' ? cacheOf(kernel, frame) : null;
    const key = `${kind} ${cache ?? ''}`;
    const known = places.get(key) ?? { kind, cache, pages: 0, texts: 0, characters: 0, copies: 0 };
    places.set(key, known);
    return known;
  };
  const words = new Uint16Array(4096);
  let next = -1;
  memory.scan(
    pfn(0),
    pfn(memory.maxPfn),
    (first, pages) => {
      const count = pages.length / pageSize;
      kernel.work.progress(first, memory.maxPfn);
      frames?.classify(first, count, words);
      const of = Array.from({ length: count }, (_, i) => placeOf((words[i] ?? 0) & 0xf, pfn(first + i)));
      for (const [i, place] of of.entries()) {
        place.pages++;
        countTexts(pages.subarray(i * pageSize, (i + 1) * pageSize), place);
      }
      finder.find(pages, first === next, (offset) => {
        of[Math.max(0, Math.floor(offset / pageSize))]!.copies++;
      });
      next = first + count;
      return true;
    },
    () => undefined,
  );
  return [...places.values()].sort((a, b) => b.texts - a.texts);
}

function isFiller(byte: number): boolean {
  return byte === filler;
}

function cacheOf(kernel: Kernel, frame: Pfn): string | null {
  const address = kernel.space.linearAddress(physAddr(frame * kernel.dump.memory.pageSize));
  return address === null ? null : kernel.faults.attempt('slab', () => slabCacheOf(kernel, address), null);
}

/** Counts runs of printable ASCII. Runs of one character are filling. */
function countTexts(page: Uint8Array, into: Counted): void {
  let start = 0;
  let isAlike = true;
  for (let i = 0; i <= page.length; i++) {
    const byte = i < page.length ? page[i]! : 0;
    if (byte >= 0x20 && byte < 0x7f) {
      if (byte !== page[start]) isAlike = false;
      continue;
    }
    if (i - start >= shortestText && !isAlike) {
      into.texts++;
      into.characters += i - start;
    }
    start = i + 1;
    isAlike = true;
  }
}
