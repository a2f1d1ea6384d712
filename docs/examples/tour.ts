// A tour of the library on a dump: node docs/examples/tour.ts samples/vmcore
import { backtracer, findMember, listEntries, openDump, readLog } from 'inquest';

const kernel = openDump(process.argv[2] ?? 'samples/vmcore');
console.log(`${kernel.dump.info.description}, kernel ${kernel.vmcoreinfo.release}, ${kernel.tasks.all.length} tasks`);

// objects: follow pointers, arrays, strings
const init = kernel.tasks.byPid(1);
if (init !== null) {
  const mm = init.object.member('mm');
  console.log(`pid 1 is ${init.comm}; its page tables are at ${mm.member('pgd').pointer().toString(16)}`);
  const parent = init.object.member('real_parent');
  console.log(`its parent is ${parent.member('comm').string()} (pid ${parent.member('pid').number()})`);
}

// lists, and container_of
const names = [...listEntries(kernel.variable('modules'), 'struct module', 'list')].map((m) =>
  m.member('name').string(),
);
console.log(`modules: ${names.join(' ')}`);
const first = kernel.variable('init_task').member('tasks.next').containerOf('struct task_struct', 'tasks');
console.log(`first on the task list: ${first.member('comm').string()}`);

// per-CPU variables, enums, and asking what this kernel has
for (const cpu of kernel.cpus.online) {
  const rq = kernel.perCpu('runqueues', cpu);
  console.log(
    `CPU ${cpu} ran ${rq.member('curr').member('comm').string()}, ${rq.member('nr_running').number()} runnable`,
  );
}
const module = kernel.modules[0];
if (module !== undefined) console.log(`${module.name} is ${module.object.member('state').enumName()}`);
const task = kernel.type('struct task_struct');
console.log(`task_struct has ${findMember(task, '__state') === null ? 'state' : '__state'}`);

// stacks and the log
const panicked = kernel.tasks.all.find((t) => t.active && !t.idle);
if (panicked !== undefined) {
  for (const { address, place } of backtracer(kernel).of(panicked).frames.slice(0, 4)) {
    console.log(`  ${address.toString(16)} ${place === null ? '?' : `${place.symbol.name}+${place.offset}`}`);
  }
}
console.log(readLog(kernel).at(-1)?.text);
