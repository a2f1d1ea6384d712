// Tasks and sizes as sentences have them.

/** `sh (pid 12)` */
export function label({ comm, pid }: { readonly comm: string; readonly pid: number }): string {
  return `${comm} (pid ${pid})`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1048576)} MiB`;
}
