// The threads that pack pages.
import { affordableThreads, Threads, threadProgram } from '../base/threads.ts';

/** Bytes that a thread which packs takes, measured. */
const threadBytes = 24e6;

/**
 * Starts threads that pack, beside the one that writes, which packs where it would wait.
 * @param threads that one among them; by default as many as the machine has processors, and memory for
 * @returns null where one is enough
 */
export function startPackThreads(threads = affordableThreads(threadBytes)): Threads | null {
  return threads > 1 ? new Threads(threadProgram('save_worker', import.meta.url), threads - 1) : null;
}
