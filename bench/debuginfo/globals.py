# The values of global variables, as JSON: their names, each in a line, come on standard input. Per-CPU ones: CPU 0's.
from drgn import FaultError
from drgn.helpers.linux.percpu import per_cpu

answer = {}
for name in sys.stdin.read().split():
    try:
        thing = prog.variable(name)
        start = prog.symbol("__per_cpu_start").address
        end = prog.symbol("__per_cpu_end").address
        if start <= thing.address_ < end:
            thing = per_cpu(thing, 0)
        answer[name] = {"value": value_of(thing)}
    except Exception as error:  # of memory that is not there, of types that drgn does not read
        answer[name] = {"missing": f"{type(error).__name__}: {error}"}
print(json.dumps(answer))
