import { byModule, provokeInChild } from '../scenario.ts';

// 48 MiB of one cache are lost before the picture, so that /proc/slabinfo has them; then the leak goes on to the end.
export default byModule(
  'leak',
  'a module leaks a slab cache until nothing is left, panic_on_oom',
  /Out of memory: .*panic_on_oom/,
  { kind: 'out-of-memory', at: 'way_leakall', says: /slab, not reclaimable.* the largest cache being perish_leak / },
  {
    setup: 'echo leak > /proc/perish\n',
    sysctl: { 'vm.panic_on_oom': 1 },
    provoke: provokeInChild('leakall'),
    memory: 640,
    moves: 'memory was filled on purpose',
  },
);
