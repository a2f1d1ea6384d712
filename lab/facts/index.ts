// Every fact that `check` compares, in the order of its table.
import type { Fact } from '../fact.ts';
import { hrtimers, interrupts, timers } from './interrupts.ts';
import { logOfGuest, logOfMakedumpfile } from './log.ts';
import { slabs, totals } from './memory.ts';
import { modules } from './modules.ts';
import { mounts } from './mounts.ts';
import { devices, sockets } from './network.ts';
import { files, mappings } from './processes_insides.ts';
import { stacks } from './stacks.ts';
import { symbols } from './symbols.ts';
import { commandLine, identity, taint, uptime } from './system.ts';
import { processes, threads } from './tasks.ts';
import { verdict } from './verdict.ts';

export const facts: readonly Fact[] = [
  verdict,
  identity,
  uptime,
  taint,
  commandLine,
  logOfGuest,
  logOfMakedumpfile,
  processes,
  threads,
  stacks,
  modules,
  symbols,
  totals,
  slabs,
  mounts,
  files,
  mappings,
  devices,
  sockets,
  timers,
  hrtimers,
  interrupts,
];
