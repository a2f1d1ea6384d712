// Internet addresses as text, from the bytes of the network.

/** `10.0.2.15`, of the first four bytes. */
export function ipv4Text(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 4)].join('.');
}

/** `fe80::1`, of the first sixteen bytes: the longest run of zero words left out (RFC 5952), IPv4 ends as inet_ntop(3) has them. */
export function ipv6Text(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! << 8) | bytes[i * 2 + 1]!);
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && words[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
    at += length;
  }
  const hex = (list: readonly number[]) => list.map((word) => word.toString(16)).join(':');
  // ::ffff:10.0.0.1 and ::10.0.0.1
  const isMapped = best.at === 0 && ((best.length === 5 && words[5] === 0xffff) || best.length === 6);
  if (isMapped) return `::${best.length === 5 ? 'ffff:' : ''}${ipv4Text(bytes.subarray(12))}`;
  if (best.at < 0) return hex(words);
  return `${hex(words.slice(0, best.at))}::${hex(words.slice(best.at + best.length))}`;
}
