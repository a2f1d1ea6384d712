// Tasks and sizes as sentences have them.

/** `sh (pid 12)` */
export function label({ comm, pid }: { readonly comm: string | null; readonly pid: number }): string {
  return `${comm ?? 'a task'} (pid ${pid})`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1048576)} MiB`;
}

/** The seconds that a message of the log tells: ` for 26 seconds` of `stuck for 26s!`; nothing where it tells none. */
export function secondsSaid(message: string | undefined): string {
  const match = /(\d{1,9})\s?s(?:econds)?\b/.exec(message ?? '');
  return match === null ? '' : ` for ${match[1]} seconds`;
}
