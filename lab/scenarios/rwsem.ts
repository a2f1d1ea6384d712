import { byModule } from '../scenario.ts';

export default byModule(
  'rwsem',
  'a reader waits for a writer that sleeps, hung_task_panic',
  /hung_task: blocked tasks/,
  { kind: 'hung-task', says: /^1 task blocked on the rwsem perish_rwsem .* held for writing by perish_writer /m },
  {
    sysctl: { 'kernel.hung_task_panic': 1, 'kernel.hung_task_timeout_secs': 5 },
  },
);
