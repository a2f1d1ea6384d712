import { byModule, provokeInChild } from '../scenario.ts';

// perish_holder sleeps with the mutex for ever; 100 kernel threads, 50 threads of a process and 50 processes wait.
export default byModule(
  'crowd',
  '200 tasks and threads blocked on one mutex, then a panic',
  /perish: asked to panic/,
  {
    kind: 'panic',
    at: 'way_panic',
    says: /^200 tasks blocked on the \w+ perish_crowded .* held by perish_holder /m,
  },
  {
    setup: 'echo hold > /proc/perish\necho crowd > /proc/perish\nlively block 50 &\nsleep 3\n',
    sysctl: { 'kernel.hung_task_timeout_secs': 0 },
    provoke: provokeInChild('panic'),
  },
);
