// In what context a report was made: the lines of dump_stack_print_info() and print_modules(), in all their wordings.
// Fills `cpu`, `task`, `taint`, `kernelRelease`, `hardware`, `workqueue` and `modules`.
import { type Frame, makeFrame } from './frames.ts';
import { type OpenIncident, type TaskRef, taskRef } from './incident.ts';
import type { Sections } from './sections.ts';
import { armCpuLine, cpuLine, hardwareLine, oldCpuLine, shortCpuLine, taintedLine } from './shapes.ts';
import { parseTaint } from './taint.ts';

const maxModules = 512;

export class Context {
  /** A line was read that only the kernel's own reports have. */
  proven = false;
  /** The report has come to its CPU and task. */
  sawTask = false;
  /** The function of the work item that the task was at. */
  work: Frame | null = null;
  private sawStalledTask = false;
  private readonly incident: OpenIncident;
  private readonly sections: Sections;

  constructor(incident: OpenIncident, sections: Sections) {
    this.incident = incident;
    this.sections = sections;
  }

  /** Reads `CPU: 1 PID: 2 Comm: sh ...`, `Pid: 2, comm: sh ...` and `Hardware name: ...`. */
  read(text: string): boolean {
    if (text.startsWith('CPU: ')) return this.readCpu(text);
    if (text.startsWith('Pid: ')) return this.readPid(text);
    return this.readHardware(text);
  }

  /** Reads what stands under the CPU's line: taint and release on a line of their own, what a worker worked on. */
  readDetail(text: string): boolean {
    const taint = taintedLine.exec(text);
    if (taint !== null) {
      this.setKernel(taint[2], taint[3]!);
      return true;
    }
    const queue = text.startsWith('Workqueue: ')
      ? /^Workqueue: (\S{1,120}) (\S{1,200})(?: \[([\w-]{1,64})[^\]]{0,60}\])?/.exec(text)
      : null;
    if (queue === null) return false;
    if (this.incident.workqueue === null) this.work = makeFrame({ symbol: queue[2]!, module: queue[3] ?? null });
    this.incident.workqueue ??= `${queue[1]} ${queue[2]}`;
    return true;
  }

  /** @param list what stands after `Modules linked in:` */
  readModules(list: string): void {
    this.proven = true;
    const { modules } = this.incident;
    if (modules.length > 0) return;
    for (const word of list.split(/\s+/, 2000)) {
      const m = /^([\w-]{1,64})(?:\(([A-Z+\-\d]{1,16})\))?$/.exec(word);
      if (m === null) {
        if (word.startsWith('[')) break; // [last unloaded: ...]
        continue;
      }
      if (modules.length < maxModules) modules.push({ name: m[1]!, flags: m[2] ?? '' });
    }
  }

  private readCpu(text: string): boolean {
    this.proven = true;
    const m = cpuLine.exec(text);
    if (m !== null) {
      this.setTask(Number(m[1]), taskRef(m[4]!, m[3], m[2]));
      this.setKernel(m[6], m[7]!);
      return true;
    }
    const arm = armCpuLine.exec(text);
    if (arm !== null) {
      // before 3.18: CPU: 0    Not tainted  (3.2.0 #1)
      this.incident.cpu ??= Number(arm[1]);
      this.setKernel(arm[3], arm[4]!);
      return true;
    }
    const short = shortCpuLine.exec(text);
    if (short === null) return /^CPU: \d{1,5} /.test(text);
    this.setTask(Number(short[1]), taskRef(short[4]!, short[3], short[2]));
    return true;
  }

  private readPid(text: string): boolean {
    const m = oldCpuLine.exec(text);
    if (m === null) return false;
    this.proven = true;
    this.setTask(null, taskRef(m[2]!, m[1]));
    this.setKernel(m[4], m[5]!);
    return true;
  }

  private readHardware(text: string): boolean {
    const m = hardwareLine.exec(text);
    if (m === null) return false;
    this.proven = true;
    this.incident.hardware ??= m[1]!.trim();
    return true;
  }

  private setTask(cpu: number | null, task: TaskRef): void {
    const { incident, sections } = this;
    const { kind } = incident;
    if (kind === 'rcu-stall' && cpu !== null && sections.isStalled(cpu) && !this.sawStalledTask) {
      this.sawStalledTask = true;
      incident.cpu = cpu;
      incident.task = task;
      this.sawTask = true;
      return;
    }
    if (sections.othersTask) return;
    // khungtaskd reports others: its own CPU line comes only with the panic
    if (kind === 'hung-task' || (kind === 'workqueue-lockup' && incident.panic !== null)) return;
    this.sawTask = true;
    if (cpu !== null) incident.cpu ??= cpu;
    const known = incident.task;
    if (known === null || known.comm === null) incident.task = task;
    else if (known.pid === task.pid) incident.task = { ...task, uid: task.uid ?? known.uid };
  }

  private setKernel(letters: string | undefined, release: string): void {
    this.incident.taint ??= parseTaint(letters ?? '');
    if (/^\d/.test(release)) this.incident.kernelRelease ??= release.replace(/[)]$/, '');
  }
}
