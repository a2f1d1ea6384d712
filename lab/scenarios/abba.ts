import { byModule } from '../scenario.ts';

export default byModule(
  'abba',
  'two tasks lock each other out, hung_task_panic',
  /hung_task: blocked tasks/,
  { kind: 'hung-task', says: /^Deadlock: (busybox|perish_abba) .* waits for (busybox|perish_abba) /m },
  {
    sysctl: { 'kernel.hung_task_panic': 1, 'kernel.hung_task_timeout_secs': 5 },
  },
);
