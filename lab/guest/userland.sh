# A lively user space: processes of the distribution beside busybox's, and `lively`, which holds one
# of everything that a process can have open. Whatever is missing from the initrd is left out.
echo "some text" > /tmp/data.txt
busybox dd if=/dev/zero of=/tmp/blob bs=1M count=4 2>/dev/null
(exec 7</etc/passwd 8>/tmp/opened; cd /tmp; exec busybox sleep 100000) &
busybox httpd -p 8080 -h /tmp
busybox nc -l -p 2323 >/dev/null 2>&1 &
busybox sh -c 'while :; do sleep 0.3; done' &
if [ -x /usr/bin/bash ]; then
  tail -f /tmp/data.txt >/dev/null &
  bash -c 'exec -a a-worker sleep 100000' &
  bash -c 'cd /usr; coproc sleep 90000; while :; do read -t 1000 || :; done < <(sleep 80000)' &
  for i in 1 2 3; do sleep 10000$i & done
fi
[ -x /usr/bin/perl ] && perl -e '
  use Socket; $0 = "perl-server"; socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(7070, INADDR_ANY)); listen($s, 5);
  my @forked = map { my $p = fork; $p or do { sleep 100000 while 1 }; $p } 1..3; accept(my $c, $s);' &
[ -x /usr/local/bin/lively ] && lively &
