// Other CPUs that were dying at the same time: they wait for their turn, which never comes.
import { type Frame, frameName } from '../../kernel/backtrace.ts';
import { functionName } from '../../oops/frames.ts';
import type { Finding } from '../analysis.ts';
import { isDying, isKernelEntry } from '../dying.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { placeAt, shortPlace } from '../place.ts';
import { label } from '../words.ts';
import type { Explanation } from './explanation.ts';

interface DyingCpu {
  readonly cpu: number;
  /** The innermost of its functions of dying, where it waited. */
  readonly waitsIn: string;
  readonly words: string;
}

export const otherCpus: Explanation = {
  name: 'another-cpu',
  recognises: 'a CPU that was dying, too, and waited for the first to be done',
  weigh(scene) {
    const { facts } = scene;
    const found = dyingCpus(facts);
    if (found.length === 0) return null;
    const first = facts.crashedCpu!.cpu;
    return {
      depth: 'beside',
      confidence: 'certain',
      because: 'their stacks show it: a CPU that dies waits until the one that was first has stopped the machine',
      speaksFor: found.map(({ cpu, waitsIn }) => `CPU ${cpu} is in ${waitsIn}()`),
      speaksAgainst: [],
      about: scene.as(scene.kind),
      sentence: `${found.map(({ cpu, words }) => `CPU ${cpu} was dying, too: ${words}`).join('; ')}. CPU ${first} was first to stop the machine.`,
      findings: () => found.map((one) => finding(facts, one)),
    };
  },
};

function dyingCpus(facts: Facts): DyingCpu[] {
  const { kernel, crashedCpu } = facts;
  if (crashedCpu === null) return [];
  const { isUserMode, instructionPointer } = kernel.arch.registers;
  return kernel.cpus.running.flatMap((cpu) => {
    if (cpu === crashedCpu.cpu) return [];
    const { frames } = facts.cpuTrace(cpu);
    // what stopped the CPU (an NMI) runs functions of its own: below that it stands
    const stopped = frames.findIndex((frame) => isKernelEntry(frame, isUserMode));
    const older = frames.slice(stopped + 1);
    const at = older.findIndex((frame) => isDying(frame) && !/crash_kexec/.test(frameName(frame)));
    if (at < 0) return [];
    const entry: Frame | undefined = older.slice(at).find((frame) => isKernelEntry(frame, isUserMode));
    const task = kernel.tasks.active(cpu);
    const who = task === null ? 'it' : label(task);
    const waitsIn = functionName(frameName(older[at]!));
    const where =
      entry === undefined
        ? `${who} had called panic()`
        : `${who} had ${isException(entry) ? 'faulted' : 'been interrupted, and found to be wrong,'} in ${shortPlace(placeAt(facts, instructionPointer(entry.registers!)))}`;
    return [{ cpu, waitsIn, words: `${where}, and waited in ${waitsIn}()` }];
  });
}

/** Entries of what the CPU itself raises; others come from a timer or another CPU, whoever is interrupted by them. */
function isException(entry: Frame): boolean {
  return !/sysvec|interrupt|nmi|_irq|_fiq/.test(frameName(entry));
}

function finding(facts: Facts, { cpu, words }: DyingCpu): Finding {
  return {
    title: `CPU ${cpu} was dying, too: ${words}`,
    explanation:
      'Two deaths at once have often one cause: look at what both CPUs used. Whichever came first had the lock; the other could not even report.',
    confidence: 'certain',
    evidence: present(evidence(facts, `bt -c ${cpu}`, 'What that CPU had come to.')),
  };
}
