// Times as crash(8) writes them. Always UTC, and said so: who reads a dump is rarely where the machine was.

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** Seconds since 1970 as `Sat Nov 21 03:49:36 UTC 2026`. */
export function wallClock(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds} s since 1970`; // a corrupt clock
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${time} UTC ${date.getUTCFullYear()}`;
}

/** Seconds as `00:03:50`, or `5 days, 00:03:50`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const day = Math.floor(whole / 86400);
  const text = `${two(Math.floor(whole / 3600) % 24)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return day === 0 ? text : `${day} days, ${text}`;
}

/** Nanoseconds as days, time and milliseconds: `0 00:03:50.012`. */
export function elapsed(nanoseconds: bigint): string {
  const ms = nanoseconds > 0n ? nanoseconds / 1_000_000n : 0n;
  const seconds = Number(ms / 1000n);
  return `${Math.floor(seconds / 86400)} ${duration(seconds % 86400)}.${String(ms % 1000n).padStart(3, '0')}`;
}
