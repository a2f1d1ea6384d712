import type { Scenario } from '../scenario.ts';

// Keys that are known: of an encrypted disk, a WireGuard tunnel, a TLS connection, a keyring; an argument and a variable of the
// environment of a process.
export default {
  name: 'secrets',
  about: 'keys of disks, tunnels, connections and keyrings that `lab secrets` looks for; then sysrq-c',
  setup: [
    'for m in lzo_rle zram aes_generic ecb xts ctr ghash_generic gcm crypto_null seqiv dm_crypt wireguard tls; do load $m 2>/dev/null; done',
    'echo 16M > /sys/block/zram0/disksize',
    'ip link add dev wg0 type wireguard',
    'PLANTED_VARIABLE=a-word-in-the-environment busybox sh -c "while :; do busybox sleep 1000; done" an-argument-that-is-secret &',
    'secrets $(cat /sys/block/zram0/dev) &',
    'sleep 4\n',
  ].join('\n'),
  provoke: 'echo c > /proc/sysrq-trigger\n',
  dying: /sysrq triggered crash/,
  verdict: { kind: 'sysrq' },
} satisfies Scenario;
