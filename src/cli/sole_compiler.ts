// Keeping the language's engine from a deadlock at the end of the process.
import { setFlagsFromString } from 'node:v8';

/**
 * Has code compiled by the thread that runs it. What other threads compile may want memory for it, and then waits for the main
 * thread to collect garbage; where that one has begun to end the process it waits for them, and neither goes on, ever. One process
 * in some thousands hung so, one in fifty of those that save a dump: https://github.com/nodejs/node/issues/54918, open as of
 * Node 26. It takes no more processor time. To be called before the work begins.
 */
export function compileOnThisThread(): void {
  for (const flag of ['--no-concurrent-sparkplug', '--no-concurrent-recompilation']) setFlagsFromString(flag);
}
