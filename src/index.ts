// The library: what the commands know, a script can ask. See docs/library.md.
import { openDump as openDumpFiles } from './dump/open.ts';
import type { Kernel } from './kernel/kernel.ts';
import { openKernel } from './kernel/open_kernel.ts';

export type { AddressSpace } from './arch/address_space.ts';
export { type Pfn, type PhysAddr, pfn, physAddr, type VirtAddr, virtAddr } from './base/address.ts';
export { BudgetError } from './base/budget.ts';
export {
  type FaultReason,
  FormatError,
  InquestError,
  MemoryFault,
  NotFoundError,
  UnsupportedError,
  UsageError,
} from './base/errors.ts';
export { Cancelled, type Work } from './base/work.ts';
export { type Command, call, defineCommand, defineStream, toJson } from './commands/command.ts';
export { CommandContext } from './commands/context.ts';
export { commands, commandTable } from './commands/registry.ts';
export { type Outcome, runCommand, type Sink } from './commands/run.ts';
export type { CodeInfo, DebugInfo, DebugInfoKind, DebugTarget } from './debuginfo/debug_info.ts';
export { debugInfoKinds } from './debuginfo/debug_sources.ts';
export { DebugFiles } from './debuginfo/files/debug_files.ts';
export { KernelObject } from './debuginfo/object.ts';
export type { KernelSymbol, SymbolPlace } from './debuginfo/symbol.ts';
export type { Member, Type, TypeSource } from './debuginfo/type.ts';
export { findMember, offsetOf, sizeOf, typeName } from './debuginfo/type.ts';
export type { Dump, DumpInfo, PhysicalMemory } from './dump/dump.ts';
export { type SearchHit, type SearchOptions, type SearchPattern, searchMemory } from './dump/search.ts';
export { type Backtrace, backtracer, type Frame } from './kernel/backtrace.ts';
export { lockWait } from './kernel/blocked_on.ts';
export { type Collected, type Fault, FaultCollector, FaultLog } from './kernel/faults.ts';
export { type Descriptor, openDescriptors } from './kernel/fdtable.ts';
export { Kernel, type Rungs } from './kernel/kernel.ts';
// the kernel's containers
export { hlistEntries, listEntries, listNodes } from './kernel/list.ts';
export { type LockWait, lockChain } from './kernel/lock_wait.ts';
export { type MapleEntry, mapleEntries } from './kernel/maple_tree.ts';
// tasks, their memory and what they have open; mounts; slabs
export { userMemory, type VmArea, vmAreaAround, vmAreas } from './kernel/mm_types.ts';
export type { Module } from './kernel/module.ts';
export { type Mount, mountNamespaceOf, mountsOf } from './kernel/mount.ts';
export { openKernel } from './kernel/open_kernel.ts';
export { pathNames } from './kernel/path.ts';
export { perKernel } from './kernel/per_kernel.ts';
export { readLog } from './kernel/printk.ts';
export type { LogRecord } from './kernel/printk_record.ts';
export { type RbNode, rbEntries, rbNodes, rbTop } from './kernel/rbtree.ts';
export { rhashEntries } from './kernel/rhashtable.ts';
export { parentPid, percpuCounter, residentCounters, type TaskMemory, taskMemory, taskStack } from './kernel/sched.ts';
export { slabAt, slabCacheOf } from './kernel/slab.ts';
export { type SlabCache, slabCacheAt, slabCaches } from './kernel/slab_cache.ts';
export { type Slab, slub } from './kernel/slub.ts';
export type { Task, TaskTable } from './kernel/task.ts';
export { type Wait, waitOf } from './kernel/wait/wait.ts';
export { type XarrayEntry, xarrayEntries, xarrayEntry } from './kernel/xarray.ts';
export type { Incident } from './oops/incident.ts';
export { findIncidents, LogScanner } from './oops/scanner.ts';
export { similarity } from './oops/signature.ts';
export { type ReportFormat, renderReport } from './report/render.ts';
export { type Audit, auditDump } from './save/audit.ts';
export { applyEraseRules, parseEraseRules } from './save/erase_rules.ts';
export { type Erasure, ErasureBuilder } from './save/erasure.ts';
export { type Estimate, estimate } from './save/estimate.ts';
export { miniPages } from './save/mini.ts';
export { redact } from './save/redact.ts';
export { type Salvaged, type SalvageOptions, salvageDump } from './save/salvage.ts';
export { type SavedFiles, type SaveFilesOptions, saveFiles } from './save/save_files.ts';
export { type Verification, verifyDump } from './save/verify.ts';
export { analyse } from './triage/analyse.ts';
export type { Analysis } from './triage/analysis.ts';

/**
 * Opens a dump and the kernel in it. Headers are read; everything else when first asked for.
 * @param paths the file, or all files of a split dump
 * @returns the kernel; `close()` closes the files
 * @throws FormatError, UnsupportedError when it is no dump that can be read, or no kernel is found in it
 */
export function openDump(...paths: readonly string[]): Kernel {
  const dump = openDumpFiles(paths);
  try {
    return openKernel(dump);
  } catch (error) {
    dump.close();
    throw error;
  }
}
