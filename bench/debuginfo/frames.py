# The frames of tasks with parameters and variables, as JSON in the shape of inquest's values:
#   echo PID... | drgn -c VMCORE -s VMLINUX frames.py        the task that panicked, then these
from drgn.helpers.linux.pid import find_task

def local(frame, name):
    try:
        thing = frame[name]
        if thing.absent_:
            return {"missing": "absent"}
        return {"value": value_of(thing)}
    except Exception as error:  # of memory that is not there, of types that drgn does not read
        return {"missing": f"{type(error).__name__}: {error}"}


def frames(trace):
    return [
        {
            "name": frame.name,
            "pc": str(frame.pc),
            "inlined": frame.is_inline,
            "locals": {name: local(frame, name) for name in frame.locals()},
        }
        for frame in trace
    ]


crashed = prog.crashed_thread()
answer = {str(crashed.tid): frames(crashed.stack_trace())}
for pid in sys.stdin.read().split():
    task = find_task(prog, int(pid))
    if task:
        answer[pid] = frames(prog.stack_trace(task))
print(json.dumps(answer))
