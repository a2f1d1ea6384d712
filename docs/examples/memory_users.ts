// Who has the memory: the slab caches and the processes with the most:
//   node memory_users.ts vmcore
import { openDump, slabCaches, taskMemory } from 'inquest';

const kernel = openDump(process.argv[2] ?? 'vmcore');
const { pageSize } = kernel.dump.memory;
const mib = (pages: number): string => `${((pages * pageSize) / 2 ** 20).toFixed(1)} MiB`;

const caches = slabCaches(kernel).filter(({ pages }) => pages !== null && pages > 0);
caches.sort((a, b) => b.pages! - a.pages!);
console.log(`slabs: ${mib(caches.reduce((sum, { pages }) => sum + pages!, 0))}`);
for (const { name, pages, objects } of caches.slice(0, 10))
  console.log(`  ${name}: ${mib(pages!)}, ${objects} objects`);

const { value: processes, faults } = kernel.faults.collect(() =>
  kernel.tasks.all
    .filter(({ pid, tgid }) => pid === tgid)
    .flatMap((task) => {
      const memory = kernel.faults.attempt(`memory of pid ${task.pid}`, () => taskMemory(kernel, task), null);
      return memory === null ? [] : [{ task, rss: memory.rss }];
    }),
);
processes.sort((a, b) => b.rss - a.rss);
console.log(`processes: ${mib(processes.reduce((sum, { rss }) => sum + rss, 0))}`);
for (const { task, rss } of processes.slice(0, 10)) console.log(`  ${task.pid} ${task.comm}: ${mib(rss)}`);
for (const { what, message } of faults) console.error(`${what}: ${message}`);
kernel.close();
