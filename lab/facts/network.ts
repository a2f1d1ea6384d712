// The network: devices and addresses in `net`, sockets of every process in `foreach net -s`.
import { parseTaskBlocks } from '../crash_text.ts';
import { type Fact, processesAtRest } from '../fact.ts';

export const devices: Fact = {
  name: 'network devices and addresses',
  commands: ['net'],
  compare(world, [text = ''], tally) {
    const listed = new Map(
      [...text.matchAll(/^ *[0-9a-f]{16} +(\S+) *(.*?)\s*$/gm)].map(([, name, list]) => [
        name,
        list?.split(', ') ?? [],
      ]),
    );
    const names = [...(world.picture.text('net/dev') ?? '').matchAll(/^ *(\S+):/gm)].map((match) => match[1] ?? '');
    for (const name of names) tally.compare(`device ${name} is there`, 1, listed.has(name) ? 1 : 0);
    for (const [device = '', , address = ''] of world.picture.rows('addresses')) {
      tally.compare(`device ${device} has ${address}`, 1, listed.get(device)?.includes(address) ? 1 : 0);
    }
  },
};

export const sockets: Fact = {
  name: 'sockets',
  commands: ['foreach net -s'],
  compare(world, [text = ''], tally) {
    const bodies = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
    const inet = inetSockets(world.picture.text.bind(world.picture));
    for (const task of processesAtRest(world)) {
      const rows = new Map(
        [...(bodies.get(task.pid) ?? '').matchAll(/^ *(\d+) +[0-9a-f]{16} +[0-9a-f]{16} +(.*)$/gm)].map(
          ([, fd, rest]) => [fd, rest ?? ''],
        ),
      );
      for (const [, fd = '', inode = ''] of (world.picture.text(`${task.pid}/fd`) ?? '').matchAll(
        /^(\d+) socket:\[(\d+)\]$/gm,
      )) {
        const row = rows.get(fd);
        const label = `process ${task.pid} ${task.comm}: socket ${fd}`;
        const ends = inet.get(inode);
        if (row === undefined) tally.fault(`${label}: not in net -s`);
        else if (ends === undefined) tally.same();
        else if (ends.every((end) => row.includes(end))) tally.same();
        else tally.fault(`${label}: the guest said ${ends.join(' to ')}, the dump ${row.trim()}`);
      }
    }
  },
};

/** By inode: the IPv4 sockets' two ends as `address-port`, as `net -s` writes them. */
function inetSockets(read: (path: string) => string | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const path of ['net/tcp', 'net/udp']) {
    const row = /^ *\d+: ([0-9A-F]{8}):([0-9A-F]{4}) ([0-9A-F]{8}):([0-9A-F]{4}) \S+ \S+ \S+ \S+ +\d+ +\d+ (\d+)/gm;
    for (const [, here = '', port = '', there = '', otherPort = '', inode = ''] of (read(path) ?? '').matchAll(row)) {
      found.set(inode, [
        `${address(here)}-${Number.parseInt(port, 16)}`,
        `${address(there)}-${Number.parseInt(otherPort, 16)}`,
      ]);
    }
  }
  return found;
}

/** An IPv4 address as /proc/net/tcp writes it: the four bytes as one number of the machine, little-endian. */
function address(hex: string): string {
  return Buffer.from(hex, 'hex').reverse().join('.');
}
