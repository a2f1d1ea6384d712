// Out of memory where a request was confined: said of what ran out, not of the machine.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reachVerdict } from '../../src/triage/verdict.ts';
import { DyingKernel, user } from '../support/dying_kernel.ts';

const types = `
struct nodemask { unsigned long bits[16]; };
struct oom_control {
  void *zonelist; struct nodemask *nodemask; void *memcg; const unsigned int gfp_mask; const int order;
  unsigned long totalpages; void *chosen; long chosen_points; unsigned int constraint;
};`;

interface Zone {
  readonly node?: number;
  readonly name: string;
  readonly free: number;
  readonly blocks?: string;
}

function report(request: string, zones: readonly Zone[], victim: readonly string[] = []): string[] {
  return [
    `eater invoked oom-killer: ${request}, oom_score_adj=0`,
    'CPU: 1 UID: 0 PID: 7 Comm: eater Not tainted 6.12.0 #1',
    'Call Trace:',
    ' <TASK>',
    ' dump_header+0x50/0x100',
    ' out_of_memory+0x50/0x100',
    ' __alloc_pages_slowpath+0x50/0x100',
    ' frob+0x50/0x100 [widget]',
    ' </TASK>',
    'Mem-Info:',
    ...zones.map(
      ({ node = 0, name, free }) =>
        `Node ${node} ${name} free:${free}kB boost:0kB min:1000kB low:1200kB high:1400kB reserved_highatomic:0KB active_anon:0kB`,
    ),
    ...zones.map(
      ({ node = 0, name, free, blocks = '100*4kB (U) 0*8kB 0*16kB' }) => `Node ${node} ${name}: ${blocks} = ${free}kB`,
    ),
    ...victim,
    'Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled',
  ];
}

function verdict(
  log: readonly string[],
  words: readonly bigint[] = [],
  prepare: (dying: DyingKernel) => void = () => {},
) {
  const dying = DyingKernel.make({ log, types });
  prepare(dying);
  const stack = ['machine_kexec', '__crash_kexec', 'panic', 'out_of_memory', '__alloc_pages_slowpath'];
  dying.panicOn(1, dying.task({ pid: 7, comm: 'eater' }), [...stack, { words }, 'frob[widget]', user]);
  return reachVerdict(dying.facts);
}

const zonelist = 0xffff_c900_1000_4000n;
const kernelRequest = 'gfp_mask=0xcc0(GFP_KERNEL), order=0';

describe('out of memory in a part of the machine', () => {
  test("a cpuset's nodes, as the victim's line has it", () => {
    const { panic, contest } = verdict(
      report(
        kernelRequest,
        [
          { name: 'Normal', free: 500 },
          { node: 1, name: 'Normal', free: 204800 },
        ],
        [
          'oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=0,cpuset=batch,mems_allowed=0,global_oom,task_memcg=/,task=eater,pid=7,uid=0',
        ],
      ),
    );
    assert.equal(
      panic.message,
      "The memory of the NUMA node 0, to which the cpuset batch confines the request, ran out, not the machine's: 200 MiB are free elsewhere; eater (pid 7) asked for it.",
    );
    assert.deepEqual([panic.confidence, contest.winner.explanation.name], ['certain', 'confined-out-of-memory']);
  });

  test('a memory policy, of which only the structure on the stack knows: the panic came before the victim was told', () => {
    const nodemask = 0xffff_c900_1000_0000n;
    // zonelist, nodemask, memcg, gfp_mask | order, totalpages, chosen, points, constraint
    const control = [zonelist, nodemask, 0n, 0xcc0n, 5000n, 0n, 0n, 2n];
    const { panic } = verdict(report(kernelRequest, [{ name: 'Normal', free: 500 }]), [9n, ...control], (dying) => {
      dying.space.map(nodemask, 128);
      dying.space.words(nodemask, 0b10110n);
    });
    assert.match(
      panic.message,
      /^The memory of the NUMA nodes 1-2,4, to which a memory policy .* confines the request/,
    );
  });

  for (const [what, words] of [
    ['of another request', [zonelist, 0n, 0n, 0xdc0n, 5000n, 0n, 0n, 2n]],
    ['without a list of zones', [1n, 0n, 0n, 0xcc0n, 5000n, 0n, 0n, 1n]],
    ['with numbers for pointers', [zonelist, 0n, 0n, 0xcc0n, 5000n, 0x1_0000_0001n, 0n, 1n]],
    ['with more pages than there can be', [zonelist, 0n, 0n, 0xcc0n, 0x400_0000_0000n, 0n, 0n, 1n]],
  ] as const) {
    test(`words on the stack that are like it, ${what}, are not believed`, () => {
      const { panic } = verdict(report(kernelRequest, [{ name: 'Normal', free: 500 }]), words);
      assert.match(panic.message, /^Memory ran out/);
    });
  }

  test('fragmented: enough is free, and no piece of the order', () => {
    const log = report('gfp_mask=0x40cc0(GFP_KERNEL|__GFP_COMP), order=2', [
      { name: 'Normal', free: 51200, blocks: '12000*4kB (U) 400*8kB (U) 0*16kB 0*32kB' },
    ]);
    assert.equal(
      verdict(log).panic.message,
      'Memory is fragmented: 50 MiB were free, and no piece of 16 KiB (order 2) was among it; eater (pid 7) asked for it.',
    );
    const scarce = log.map((line) => line.replace('free:51200kB', 'free:900kB'));
    assert.match(verdict(scarce).panic.message, /^Memory ran out/);
    const other = log.map((line) => line.replace('0*32kB', '1*32kB'));
    assert.match(verdict(other).panic.message, /^Memory ran out/);
  });

  test('a low zone, while others have memory', () => {
    const zones = [
      { name: 'DMA', free: 100 },
      { name: 'DMA32', free: 300 },
      { name: 'Normal', free: 1024000 },
    ];
    const low = 'gfp_mask=0xcc4(GFP_KERNEL|GFP_DMA32), order=0';
    assert.match(
      verdict(report(low, zones)).panic.message,
      /^The zone DMA32, above which the request \(GFP_KERNEL\|GFP_DMA32\) may not go, ran out of memory, not the machine: 1000 MiB are free in Normal/,
    );
    assert.match(verdict(report(kernelRequest, zones)).panic.message, /^Memory ran out/);
    assert.match(
      verdict(
        report(
          low,
          zones.map((zone) => ({ ...zone, free: 300 })),
        ),
      ).panic.message,
      /^Memory ran out/,
    );
  });
});
