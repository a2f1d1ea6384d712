// The end of the process: at once, and for certain.
import { accessSync, constants } from 'node:fs';
import { isTerminal } from './is_terminal.ts';

const shell = '/bin/sh';

/**
 * Ends the process. All must be written by now.
 *
 * Node's own end waits for its threads, and those that compile code may wait for the main thread to collect garbage first: one process
 * in some thousands, of those that save a dump one in a hundred, then hangs for ever (https://github.com/nodejs/node/issues/54918,
 * open as of Node 26). Where Node can, the process becomes a shell that does nothing but end with the status: the kernel does away
 * with the threads. At a terminal Node has more to put back, and whoever sits there can end what hangs.
 */
export function endProcess(status: number): never {
  // who measures wants what Node writes at its end
  const isMeasured = process.execArgv.length > 0 || process.env['NODE_OPTIONS'] || process.env['NODE_V8_COVERAGE'];
  const isByHand = isTerminal(0) && isTerminal(1);
  if (process.execve !== undefined && !isMeasured && !isByHand && canRun(shell))
    process.execve(shell, ['sh', '-c', `exit ${status}`], {});
  process.exit(status);
}

/** Node aborts where there is no such program. */
function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
