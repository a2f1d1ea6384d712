// Timers and interrupts: what is armed and what is counted only moves forward.
import type { Fact } from '../fact.ts';

export const interrupts: Fact = {
  name: 'interrupts',
  commands: ['irq -s'],
  compare(world, [text = ''], tally) {
    const parse = (table: string) =>
      new Map(
        [...table.matchAll(/^ *(\d+): +((?:\d+ +)+)(\S.*)$/gm)].map(([, irq, counts, rest]) => [
          irq ?? '',
          { counts: counts?.trim().split(/ +/).map(Number) ?? [], rest: rest ?? '' },
        ]),
      );
    const now = parse(text);
    for (const [irq, then] of parse(world.picture.text('interrupts') ?? '')) {
      const row = now.get(irq);
      if (row === undefined) {
        // crash leaves out interrupts that never happened.
        if (then.counts.some((count) => count > 0)) tally.fault(`interrupt ${irq}: not in irq -s`);
        continue;
      }
      for (const [cpu, count] of then.counts.entries()) {
        const dump = row.counts[cpu];
        if (dump === count) tally.same();
        else if (dump !== undefined && dump > count) tally.moved('more interrupts came');
        else tally.fault(`interrupt ${irq} on CPU ${cpu}: ${count} at the picture, ${dump} in the dump`);
      }
    }
  },
};

export const timers: Fact = {
  name: 'timers of the module',
  commands: ['timer'],
  compare(world, [text = ''], tally) {
    if (
      !(world.picture.text('modules') ?? '').startsWith('perish ') &&
      !/^perish /m.test(world.picture.text('modules') ?? '')
    )
      return;
    if (text.includes('<perish_tick>')) tally.same();
    else tally.fault('the timer of the module, perish_tick, is not in timer');
  },
};

export const hrtimers: Fact = {
  name: 'high-resolution timers',
  commands: ['timer -r'],
  compare(world, [text = ''], tally) {
    // timer_list: ` #0: <addr>, function, S:01`, then ` # expires at A-B nsecs [in ...]`.
    const said = [
      ...(world.picture.text('timer_list') ?? '').matchAll(
        /^ #\d+: <[^>]*>, (\w+), S:01\n # expires at (\d+)-(\d+) nsecs/gm,
      ),
    ];
    const listed = new Set(
      [...text.matchAll(/^ *(\d+) +(\d+) +-?\d+ +[0-9a-f]{16} +[0-9a-f]{16} +<(\w+)>/gm)].map(
        ([, soft, hard, name]) => `${name} ${soft} ${hard}`,
      ),
    );
    const end = Math.max(0, ...[...text.matchAll(/^ +(\d{6,})\s*$/gm)].map((match) => Number(match[1])));
    for (const [, name, soft, hard] of said) {
      if (listed.has(`${name} ${soft} ${hard}`)) tally.same();
      else if (end > 0 && Number(soft) <= end) tally.moved('the timer had expired');
      // Armed again or cancelled by whoever set it: that many do is not so.
      else tally.moved('the timer was set anew');
    }
    if (said.length > 20 && tally.equal < said.length / 8)
      tally.fault(`only ${tally.equal} of ${said.length} timers of the picture are in timer -r`);
  },
};
