import { freemem } from 'node:os';

/** Bytes of memory that this process may still take. */
export function availableMemory(): number {
  // since Node 20.13: knows the limits of cgroups
  return process.availableMemory?.() ?? freemem();
}
