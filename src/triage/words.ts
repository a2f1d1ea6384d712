// Tasks and sizes as sentences have them.

/** `sh (pid 12)` */
export function label({ comm, pid }: { readonly comm: string | null; readonly pid: number }): string {
  return `${comm ?? 'a task'} (pid ${pid})`;
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1048576)} MiB`;
}
