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

const signals =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );

/** `SIGSEGV` of 11 (include/uapi/asm-generic/signal.h). */
export function signalName(signal: number): string {
  const name = signals[signal - 1];
  return name === undefined ? `real-time signal ${signal}` : `SIG${name}`;
}
