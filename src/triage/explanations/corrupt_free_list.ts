// The slab allocator followed the free list of a cache to where nothing is: a free object was written to, or the one before
// it was written past. Who asked for memory is but the one who found it.
import { virtAddr } from '../../base/address.ts';
import { hex, hex16 } from '../../base/text.ts';
import { slabAt } from '../../kernel/slab.ts';
import { type SlabCache, slabCaches } from '../../kernel/slab_cache.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import { type OverwrittenObject, overwrittenObject, overwrittenWords } from '../overwritten_object.ts';
import { shortPlace } from '../place.ts';
import { phrases, type Scene } from '../scene.ts';
import type { Explanation } from './explanation.ts';

/** Functions of mm/slub.c that go along free lists. */
const walkers =
  /^(?:_*kmem_cache_alloc\w*|_*kmalloc\w*|_*slab_alloc\w*|slab_alloc_node|get_freepointer\w*|get_freelist|_*refill_(?:objects|sheaf)\w*|get_partial\w*|get_from_partial\w*|get_any_partial|alloc_(?:from_pcs|single_from_partial|from_new_slab)\w*|deactivate_slab|_*pcs_\w+)(?:\.|$)/;

export const corruptFreeList: Explanation = {
  name: 'corrupt-free-list',
  recognises: 'a free list of the slab allocator that leads to where no object is',
  weigh(scene) {
    const { access, jump, facts, kind } = scene;
    if (access === null || jump !== null || kind === 'unknown') return null;
    const about = scene.as(kind);
    const { instruction } = about;
    if (instruction === null || instruction.module !== null || !walkers.test(instruction.symbol ?? '')) return null;
    if (facts.kernel.arch.isKernelAddress(access.address) && facts.kernel.space.isReadable(access.address)) return null;
    const cache = cacheInRegisters(scene);
    if (cache === null) return null;
    const { runBy, where } = phrases(scene, about);
    const name = cache.name ?? `at ${hex16(cache.address)}`;
    const broken = facts.kernel.faults.attempt('overwritten object', () => overwritten(scene, cache), null);
    return {
      depth: 'mechanism',
      confidence: broken === null ? 'likely' : 'certain',
      because:
        broken === null
          ? `${instruction.symbol} goes along free lists, a register holds the slab cache ${name}, and the address that it came to is none`
          : `${instruction.symbol} goes along free lists, and the address that it came to is what the object at ${hex16(broken.object.address)} has where the next one should stand`,
      speaksFor: [
        `${shortPlace(instruction)} takes objects off the free list of a slab`,
        `a register holds the kmem_cache of ${name}`,
        `0x${hex(access.address)} is ${access.looksLike}`,
      ],
      speaksAgainst: [],
      about,
      sentence: `The free list of the slab cache ${name} is corrupt: ${shortPlace(instruction)} came to 0x${hex(access.address)}, ${access.looksLike}. ${broken === null ? 'A free object of that cache was written to, or the object before it was written past' : overwrittenWords(broken)}; it was noticed as memory was asked for${where}${runBy}.`,
      findings: () => findings(scene, cache, name, broken),
    };
  },
};

/** The one slab cache that registers at the fault point to; null for none, or several. */
function cacheInRegisters({ facts }: Scene): SlabCache | null {
  const { kernel, exception } = facts;
  const caches = kernel.faults.attempt('slab caches', () => slabCaches(kernel), []);
  const held = new Set(Object.values(exception?.registers ?? {}));
  const found = caches.filter(({ address }) => held.has(address));
  return found.length === 1 ? found[0]! : null;
}

/** The object that the address was taken from: the allocator goes for the next one, or for where that keeps the one after it. */
function overwritten({ facts, access }: Scene, cache: SlabCache): OverwrittenObject | null {
  const wild = [access!.address, BigInt.asUintN(64, access!.address - BigInt(cache.freePointer))];
  return overwrittenObject(facts.kernel, cache, wild, Object.values(facts.exception?.registers ?? {}));
}

function findings({ facts }: Scene, { address }: SlabCache, name: string, broken: OverwrittenObject | null): Finding[] {
  const { exception, kernel } = facts;
  const held = Object.values(exception?.registers ?? {}).find(
    (value) => value !== undefined && slabAt(kernel, virtAddr(value))?.cache === address,
  );
  return [
    {
      title: `The free list of the slab cache ${name} leads to where no object is`,
      explanation:
        'Who asked for memory is not to blame. Free objects keep the address of the next one within them: look at what lies around the free objects of this cache for text, patterns and pointers, and for who writes such. slub_debug=FZPU for this cache tells at once next time.',
      confidence: broken === null ? 'likely' : 'certain',
      evidence: present(
        broken === null
          ? null
          : evidence(
              facts,
              `rd ${hex16(broken.pattern?.start ?? broken.at)} ${Math.min(32, Math.ceil(Number((broken.pattern?.end ?? broken.at + 8n) - (broken.pattern?.start ?? broken.at)) / 8))}`,
              'What was written over it.',
            ),
        broken === null ? null : evidence(facts, `kmem ${hex16(broken.object.address)}`, 'The object.'),
        held === undefined
          ? null
          : evidence(facts, `kmem ${hex16(held)}`, 'What a register held lies in a slab of that cache.'),
        evidence(
          facts,
          `struct kmem_cache.name,object_size,offset ${hex16(address)}`,
          'The cache; offset is where in a free object the next one stands.',
        ),
      ),
    },
  ];
}
