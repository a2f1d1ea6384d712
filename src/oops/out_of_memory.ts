// What an out-of-memory report says besides its trace: the tables of memory and tasks, and who was killed. Fills
// `memory` and `otherTasks`.
import { addTask, maxText, type OpenIncident, taskRef } from './incident.ts';
import { memoryLine } from './shapes.ts';

const maxMemory = 512;

/** Reads a line of the tables, or the one that names the victim. */
export function readMemory(incident: OpenIncident, text: string): boolean {
  if (!memoryLine.test(text) && !/[Kk]ill(?:ed)? process|invoked oom-killer/.test(text)) return false;
  addMemory(incident, text);
  return true;
}

/** Takes a line that is known to be one of the report's, as its headlines are. */
export function addMemory(incident: OpenIncident, text: string): void {
  if (incident.memory.length < maxMemory) incident.memory.push(text.slice(0, maxText));
  const killed =
    /[Kk]ill(?:ed)? process (\d{1,10}),? \(?(.{1,64}?)\)?(?:[ ,]|$)/.exec(text) ??
    /\btask=(?<comm>[^,]{1,64}),pid=(?<pid>\d{1,10})/.exec(text);
  if (killed !== null) {
    addTask(incident, taskRef(killed.groups?.comm ?? killed[2]!, killed.groups?.pid ?? killed[1]));
  }
}
