// net/core/skbuff.c, skb_panic(): a socket buffer that more was put into than fits, as the log tells of it.
//
//   skb_over_panic: text:ADDRESS len:4100 put:4000 head:ADDRESS data:ADDRESS tail:0x1004 end:0x140 dev:<NULL>

const line =
  /skb_(over|under)_panic: text:\S{1,64} len:\d{1,10} put:(\d{1,10}) head:(\S{1,32}) data:(\S{1,32}) tail:(0x[0-9a-f]{1,16}|\(null\)) end:(0x[0-9a-f]{1,16}|\(null\)) dev:(\S{1,32})/;

/** What was done to the buffer, in words; null for another message. */
export function socketBufferWords(message: string): string | null {
  const [, side, put, head, data, tail, end, device] = line.exec(message) ?? [];
  if (side === undefined) return null;
  const of = device === undefined || device.startsWith('<') ? '' : ` of ${device}`;
  const [first, last] = side === 'over' ? [tail, end] : [head, data];
  const room = distance(first!, last!);
  // what was put is in the figures already
  const had = room === null ? null : room + BigInt(put!);
  const fits = had === null || had < 0n ? 'had less room' : `had room for ${had}`;
  return side === 'over'
    ? `${put} bytes were put into a socket buffer${of} that ${fits}`
    : `${put} bytes were put before the data of a socket buffer${of} that ${fits} there`;
}

/** Bytes from one address to another; null where one is hidden or none. */
function distance(from: string, to: string): bigint | null {
  const [a, b] = [from, to].map((text) => {
    const digits = text.replace(/^0x/, '');
    return /^[0-9a-f]{1,16}$/.test(digits) ? BigInt(`0x${digits}`) : null;
  });
  return a == null || b == null ? null : b - a;
}
