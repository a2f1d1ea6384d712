# Answers some of the lab's commands through drgn, in crash(8)'s format:
#   drgn -c VMCORE -s VMLINUX drgn.py        each answer after a line "@@ COMMAND"
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg
from drgn.helpers.linux.sched import task_cpu, task_state_to_char

LETTERS = {"R": "RU", "S": "IN", "D": "UN", "T": "ST", "t": "TR", "Z": "ZO", "X": "DE", "I": "ID", "P": "PA"}
tasks = sorted(for_each_task(prog), key=lambda task: task.pid.value_())


def name(task):
    return task.comm.string_().decode(errors="replace")


def heading(task):
    print(f'PID: {task.pid.value_()}  TASK: {task.value_():x}  CPU: {task_cpu(task)}  COMMAND: "{name(task)}"')


print("@@ ps")
for task in tasks:
    state = LETTERS.get(task_state_to_char(task), "??")
    print(f"  {task.pid.value_()} {task.real_parent.tgid.value_()} {task_cpu(task)} {task.value_():x} {state} 0.0 0 0  {name(task)}")

print("@@ foreach task -R nvcsw,nivcsw,on_rq")
for task in tasks:
    heading(task)
    print(f"  nvcsw = {task.nvcsw.value_()},\n  nivcsw = {task.nivcsw.value_()},\n  on_rq = {task.on_rq.value_()},")

print("@@ foreach bt")
for task in tasks:
    heading(task)
    try:
        for i, frame in enumerate(prog.stack_trace(task)):
            if not frame.is_inline:
                print(f" #{i} [{frame.sp:x}] {frame.function_name or frame.name} at {frame.pc:x}")
    except (LookupError, ValueError) as error:
        print(f"  {error}")

print("@@ mod")
for module in for_each_module(prog):
    try:
        text = module.mem[prog.constant("MOD_TEXT")]
        base, size = text.base, sum(memory.size.value_() for memory in module.mem)
    except (AttributeError, LookupError):  # before 6.4 (ac3b43283923)
        base, size = module.core_layout.base, module.core_layout.size.value_()
    print(f"{module.value_():x} {module.name.string_().decode()} {base.value_():x} {size} (not loaded)")

print("@@ log")
print(get_dmesg(prog).decode(errors="replace"))
