// Every fact that `check` compares, in the order of its table.
import type { Fact } from '../fact.ts';
import { callTrace } from './call_trace.ts';
import { cgroups } from './cgroups.ts';
import { coreFile } from './core_file.ts';
import { lastTasks } from './cpus.ts';
import { drivers, requests, resources } from './drivers.ts';
import { ftrace } from './ftrace.ts';
import { incidents, taintWords } from './incidents.ts';
import { hrtimers, interrupts, timers } from './interrupts.ts';
import { ipc } from './ipc.ts';
import { logOfGuest, logOfMakedumpfile } from './log.ts';
import { slabs, totals } from './memory.ts';
import { modules, moduleUsers } from './modules.ts';
import { mounts } from './mounts.ts';
import { devices, sockets } from './network.ts';
import { outOfMemory } from './out_of_memory.ts';
import { outstandingIo } from './outstanding.ts';
import { pageFrames } from './page_frames.ts';
import { files, mappings, pages } from './processes_insides.ts';
import { limits, memory, processArguments, startTimes } from './ps_options.ts';
import { places, references } from './references.ts';
import { signals } from './signals.ts';
import { stacks } from './stacks.ts';
import { swapAreas, swappedPages } from './swap.ts';
import { symbols } from './symbols.ts';
import { commandLine, identity, taint, uptime } from './system.ts';
import { processes, threads } from './tasks.ts';
import { traceFile } from './trace_file.ts';
import { verdict } from './verdict.ts';
import { groups, locks } from './waiting.ts';
import { workers } from './workers.ts';
import { vmallocAreas, zones } from './zones.ts';

export const facts: readonly Fact[] = [
  verdict,
  callTrace,
  incidents,
  taintWords,
  outOfMemory,
  identity,
  uptime,
  taint,
  commandLine,
  logOfGuest,
  logOfMakedumpfile,
  processes,
  threads,
  startTimes,
  memory,
  limits,
  processArguments,
  stacks,
  modules,
  moduleUsers,
  symbols,
  totals,
  slabs,
  pageFrames,
  zones,
  vmallocAreas,
  swapAreas,
  swappedPages,
  places,
  references,
  mounts,
  files,
  mappings,
  pages,
  signals,
  cgroups,
  ipc,
  devices,
  sockets,
  timers,
  hrtimers,
  interrupts,
  lastTasks,
  locks,
  groups,
  workers,
  drivers,
  resources,
  requests,
  outstandingIo,
  coreFile,
  ftrace,
  traceFile,
];
