// Names of what sockets are, as crash(8) and /proc/net have them.
import { assertNever } from '../../base/errors.ts';
import { escapeLine, hex } from '../../base/text.ts';
import type { SocketEnd, SocketEnds } from '../../kernel/sock.ts';

/** AF_* (include/linux/socket.h) that have names of their own. */
const families: Readonly<Record<number, string>> = {
  0: 'UNSPEC',
  1: 'UNIX',
  2: 'INET',
  3: 'AX25',
  4: 'IPX',
  5: 'APPLETALK',
  6: 'NETROM',
  7: 'BRIDGE',
  8: 'ATMPVC',
  9: 'X25',
  10: 'INET6',
  11: 'ROSE',
  12: 'DECnet',
  13: 'NETBEUI',
  14: 'SECURITY/KEY',
  16: 'NETLINK/ROUTE',
  17: 'PACKET',
  18: 'ASH',
  19: 'ECONET',
  20: 'ATMSVC',
  22: 'SNA',
  23: 'IRDA',
  24: 'PPPOX',
};

/** SOCK_* (include/linux/net.h). */
const types: Readonly<Record<number, string>> = {
  1: 'STREAM',
  2: 'DGRAM ',
  3: 'RAW',
  4: 'RDM',
  5: 'SEQPACKET',
  10: 'PACKET',
};

/** TCP_* (include/net/tcp_states.h). */
const states: Readonly<Record<number, string>> = {
  1: 'ESTABLISHED',
  2: 'SYN_SENT',
  3: 'SYN_RECV',
  4: 'FIN_WAIT1',
  5: 'FIN_WAIT2',
  6: 'TIME_WAIT',
  7: 'CLOSE',
  8: 'CLOSE_WAIT',
  9: 'LAST_ACK',
  10: 'LISTEN',
  11: 'CLOSING',
  12: 'SYN_RECV',
};

/** `INET:STREAM`. */
export function socketType(family: number, type: number | null): string {
  return `${families[family] ?? family}:${type === null ? '' : (types[type] ?? type)}`;
}

export function stateName(state: number): string {
  return states[state] ?? String(state);
}

/** `10.0.2.15-22`, as net -s has it. */
function endText({ address, port }: SocketEnd): string {
  return `${address}-${port}`;
}

/** Both ends, to be shown one after the other. */
export function endTexts(ends: SocketEnds): readonly [local: string, peer: string] {
  switch (ends.kind) {
    case 'inet':
      return [endText(ends.local), endText(ends.peer)];
    case 'unix':
      return [ends.name === null ? '*' : escapeLine(ends.name), ends.peer === 0n ? '*' : hex(ends.peer)];
    case 'netlink':
      return [`port ${ends.port}`, '*'];
    case 'packet':
      return [`protocol ${hex(ends.protocol)}`, ends.device === 0 ? 'every device' : `device ${ends.device}`];
    case 'none':
      return ['?', '?'];
    default:
      return assertNever(ends);
  }
}

/** An IPv6 address with all of its eight groups, as net -s has it: `fe80:0:0:0:0:0:0:1` for `fe80::1`. */
export function wholeIpv6(address: string): string {
  const plain = address.replace(/(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  );
  const [front = '', back] = plain.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  if (back === undefined) return plain;
  const [first, last] = [groups(front), groups(back)];
  const zeroes = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return [...first, ...zeroes, ...last].join(':');
}
