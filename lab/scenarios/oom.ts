import type { Scenario } from '../scenario.ts';

export default {
  name: 'oom',
  about: 'a tmpfs eats all memory, panic_on_oom',
  sysctl: { 'vm.panic_on_oom': 1 },
  provoke: 'mkdir -p /eater; mount -t tmpfs -o size=100% eater /eater; busybox dd if=/dev/zero of=/eater/all bs=1M &\n',
  dying: /Out of memory: .*panic_on_oom/,
  verdict: { kind: 'out-of-memory', says: /files in tmpfs and shared memory.* the tmpfs on \/eater / },
  memory: 640,
  moves: 'memory was filled on purpose',
} satisfies Scenario;
