// Every scenario, in the order in which `lab list` shows them.
import type { Scenario } from '../scenario.ts';
import abba from './abba.ts';
import atomic from './atomic.ts';
import balloon from './balloon.ts';
import bug from './bug.ts';
import cgroups from './cgroups.ts';
import crowd from './crowd.ts';
import div from './div.ts';
import ftrace from './ftrace.ts';
import full from './full.ts';
import gpf from './gpf.ts';
import hardlockup from './hardlockup.ts';
import irqfault from './irqfault.ts';
import leak from './leak.ts';
import list from './list.ts';
import namespaces from './namespaces.ts';
import nmi from './nmi.ts';
import nmifault from './nmifault.ts';
import nullWay from './null.ts';
import oom from './oom.ts';
import pages from './pages.ts';
import panic from './panic.ts';
import rcustall from './rcustall.ts';
import { ruined } from './ruin.ts';
import rwsem from './rwsem.ts';
import secrets from './secrets.ts';
import sockets from './sockets.ts';
import softlockup from './softlockup.ts';
import spinlock from './spinlock.ts';
import stack from './stack.ts';
import { strays } from './stray.ts';
import sysrqC from './sysrq_c.ts';
import timer from './timer.ts';
import uaf from './uaf.ts';
import waits from './waits.ts';
import warn from './warn.ts';
import workqueue from './workqueue.ts';
import { wornOut } from './worn.ts';
import { faults } from './wreck/faults.ts';
import { jumps } from './wreck/jumps.ts';
import { objects } from './wreck/objects.ts';
import { traps } from './wreck/traps.ts';
import { waits as wreckWaits } from './wreck/waits.ts';
import zram from './zram.ts';
import zswap from './zswap.ts';

export const scenarios: readonly Scenario[] = [
  sysrqC,
  nullWay,
  gpf,
  div,
  bug,
  pages,
  balloon,
  panic,
  warn,
  atomic,
  stack,
  list,
  uaf,
  irqfault,
  workqueue,
  timer,
  nmi,
  nmifault,
  softlockup,
  hardlockup,
  spinlock,
  rcustall,
  abba,
  rwsem,
  crowd,
  waits,
  oom,
  leak,
  secrets,
  sockets,
  namespaces,
  cgroups,
  ftrace,
  full,
  zram,
  zswap,
  ...faults,
  ...jumps,
  ...traps,
  ...objects,
  ...wreckWaits,
  ...strays,
  ...wornOut,
  ...ruined,
];

/** @throws Error naming the scenarios there are */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}; there are ${scenarios.map((s) => s.name).join(', ')}`);
  return found;
}
