// Somebody asked for the crash: who, and what the machine looked like when they did.
import { frameName } from '../../kernel/backtrace.ts';
import { parentPid } from '../../kernel/sched.ts';
import type { Finding } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { type Case, phrases, type Scene } from '../scene.ts';
import { stuckTasksWords } from '../waiting.ts';
import { ofKind } from './explanation.ts';

export const sysrq = ofKind({
  name: 'sysrq',
  recognises: 'a crash that somebody asked for',
  kinds: ['sysrq'],
  sentence: (scene, about) => {
    const { who, onCpu } = phrases(scene, about);
    const { facts } = scene;
    const stuck = stuckTasksWords(facts);
    return `Somebody asked for the crash: ${who ?? 'a task'}${onCpu} ${howAsked(facts)}${stuck === null ? '' : `; at that time ${stuck}`}.`;
  },
  findings: whoAsked,
});

/** By which way: a write to the file, or a key. */
function howAsked({ crashTrace }: Facts): string {
  const names = crashTrace.frames.map(frameName);
  if (names.some((name) => /write_sysrq_trigger/.test(name))) return 'wrote to /proc/sysrq-trigger';
  if (names.some((name) => /^(sysrq_filter|sysrq_handle_keypress|input_\w+|uart_\w+|handle_sysrq)$/.test(name)))
    return 'was interrupted by SysRq-c, from a keyboard or a console';
  return 'wrote to /proc/sysrq-trigger or was interrupted by SysRq-c';
}

function whoAsked({ facts }: Scene, { subject }: Case): Finding[] {
  if (subject === null) return [];
  const parent = facts.kernel.faults.attempt('parent', () => facts.kernel.tasks.byPid(parentPid(subject)), null);
  return [
    {
      title: `The crash was asked for by ${subject.comm} (pid ${subject.pid})${parent === null || parent.pid === 0 ? '' : `, a child of ${parent.comm} (pid ${parent.pid})`}`,
      explanation:
        'Nothing is wrong with the kernel as such. Somebody may have crashed it to get a dump of a machine that hung: look at blocked tasks and at the log before this.',
      confidence: 'certain',
      evidence: present(evidence(facts, `ps -p ${subject.pid}`, 'The processes that it descends from.')),
    },
  ];
}
