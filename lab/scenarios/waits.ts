// Every way to sleep at once, in the kernel and from user space; then somebody presses SysRq-c.
import type { Scenario } from '../scenario.ts';

export default {
  name: 'waits',
  about: 'tasks asleep in every way there is, a silent disk, a frozen file system; then SysRq-c',
  setup: `echo text > /tmp/locked
echo waits > /proc/perish
echo hold > /proc/perish
cat /proc/perish > /dev/null &
busybox dd if=/dev/zero of=/tmp/locked bs=16 count=1 conv=notrunc 2> /dev/null &
busybox dd if=/dev/perish0 of=/dev/null bs=4096 count=1 2> /dev/null &
busybox dd if=/dev/zero of=/dev/perish0 bs=4096 count=1 oflag=direct seek=64 2> /dev/null &
busybox sleep 100000 | busybox cat > /dev/null &
`,
  provoke: `mount -o remount,rw /lab
fsfreeze -f /lab || busybox fsfreeze --freeze /lab
busybox touch /lab/frozen &
sleep 1
echo c > /proc/sysrq-trigger
`,
  sysctl: { 'kernel.hung_task_timeout_secs': 0 },
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
