# picture/ without the compiled program `picture` (arm64): slower, threads and kernel stacks of leaders only.
P=/lab/picture
mkdir -p $P/net $P/sysvipc
for f in modules meminfo slabinfo timer_list interrupts swaps uptime loadavg version cmdline filesystems stat vmstat cpuinfo kallsyms net/tcp net/tcp6 net/udp net/unix net/dev sysvipc/shm sysvipc/sem sysvipc/msg; do cat /proc/$f > $P/$f; done
for p in /proc/[0-9]*; do
  n=${p#/proc/}
  mkdir -p $P/$n/task/$n
  for f in status stat stack; do cat $p/$f > $P/$n/task/$n/$f; done
  for f in maps comm cmdline environ mountinfo mounts limits smaps_rollup; do cat $p/$f > $P/$n/$f; done
  for l in cwd exe root; do readlink $p/$l > $P/$n/$l; done
  for l in $p/fd/*; do [ -L $l ] && echo "${l##*/} $(readlink $l)"; done > $P/$n/fd
done 2>/dev/null
sysctl -a 2>/dev/null | sed 's/ = /=/' > $P/sysctl
dmesg -r > $P/dmesg
