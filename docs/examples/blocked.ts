// Tasks that wait uninterruptibly, with the lock that each waits for and who has it:
//   node blocked.ts vmcore
import { backtracer, lockWait, openDump } from 'inquest';

const kernel = openDump(process.argv[2] ?? 'vmcore');
for (const task of kernel.tasks.all.filter(({ state }) => state === 'UN')) {
  const { frames } = backtracer(kernel).of(task);
  const wait = lockWait(kernel, task, frames);
  const where = frames.find(({ place }) => place !== null && !/schedule/.test(place.symbol.name))?.place;
  const lock = wait === null ? 'no lock that is known' : `${wait.kind} ${wait.lock.toString(16)}, held ${wait.held}`;
  const owner = wait?.owner == null ? '' : ` (pid ${wait.owner.pid} ${wait.owner.comm})`;
  console.log(`${task.pid} ${task.comm} in ${where?.symbol.name ?? '?'}: ${lock}${owner}`);
}
kernel.close();
