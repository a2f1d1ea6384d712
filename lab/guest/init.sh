#!/bin/busybox sh
# The first process of the guest. The disk (/lab) brings what differs from run to run:
#   setup.sh, provoke.sh   the scenario        sysctl      lines of name=value
#   kexec.args             or absent: nobody captures, the host dumps      capture.sh   run after the crash
# and takes back what is left: picture/ (the guest's own /proc and /sys), then vmcore.
# The host follows the lines that begin with "LAB ".
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/busybox
/bin/busybox mkdir -p /busybox /proc /sys /dev /tmp /run /lab
/bin/busybox --install -s /busybox
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o size=64m tmpfs /tmp
while read -r module; do insmod /lib/modules/$module.ko || echo "LAB NOTE no module $module"; done < /lib/modules/boot.order
mount -t ext4 /dev/vda /lab || echo "LAB FAILED no disk"
if [ -e /proc/vmcore ]; then
  . /lab/capture.sh
  sync
  mount -o remount,ro /lab
  echo "LAB CAPTURED"
  poweroff -f
fi
mount -t debugfs debugfs /sys/kernel/debug
load() { while read -r module; do insmod /lib/modules/$module.ko; done < /lib/modules/$1.order; }
hostname lab
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
[ -f /lib/modules/perish.ko ] && insmod /lib/modules/perish.ko
echo 1 > /proc/sys/kernel/sysrq
echo 1 > /proc/sys/kernel/panic_on_oops
. /userland.sh
. /lab/setup.sh
if [ -f /lab/kexec.args ]; then
  kexec -p /boot/vmlinuz --initrd=/boot/capture --reuse-cmdline --append="$(cat /lab/kexec.args)"
  [ "$(cat /sys/kernel/kexec_crash_loaded)" = 1 ] || echo "LAB FAILED no capture kernel"
fi
cp /lab/provoke.sh /tmp/provoke.sh
sleep 2
# khugepaged gives huge pages to processes that sleep: their memory would be another at the crash.
thp=/sys/kernel/mm/transparent_hugepage/enabled
[ -f $thp ] && echo never > $thp
mkdir -p /lab/picture
if [ -x /usr/local/bin/picture ]; then picture /lab/picture; else . /picture.sh; fi
sync
mount -o remount,ro /lab
# Not before: taking the picture could trip a detector that the scenario makes impatient.
while IFS='=' read -r name value; do echo "$value" > "/proc/sys/$(echo "$name" | tr . /)"; done < /lab/sysctl
echo "LAB READY"
sleep 1 # the console is slower than the end
. /tmp/provoke.sh
sleep 1000000
