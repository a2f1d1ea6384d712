// What the log tells of deaths: `oops` against the lines in which the kernel names the task, the CPU and the taint, and
// `explain` against the words that it has for the letters of taint.
import { asJson } from '../answers.ts';
import type { Fact } from '../fact.ts';

interface Incident {
  readonly message: string;
  readonly task: { readonly comm: string; readonly pid: number } | null;
  readonly cpu: number | null;
  readonly taint: { readonly flags: readonly { readonly letter: string }[] } | null;
  readonly instruction: { readonly symbol: string | null; readonly offset: number } | null;
}

/** `CPU: 1 UID: 0 PID: 217 Comm: sh Kdump: loaded Tainted: G O` */
const header =
  /\bCPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.+?)(?: Kdump: loaded)?(?: (?:Tainted: (.*?)|Not tainted))? +\d+\.\d+\.\d/;

export const incidents: Fact = {
  name: 'incidents in the log',
  commands: [`oops${asJson}`],
  compare({ dmesgOfMakedumpfile: log }, [text = ''], tally) {
    const line = text.split('\n').find((line) => line.startsWith('{'));
    if (log === undefined || line === undefined) return;
    const told = (JSON.parse(line) as { data: { incidents: readonly { incident: Incident }[] } }).data.incidents.map(
      ({ incident }) => incident,
    );
    const lines = log.split('\n');
    const owners = (incident: Incident): string => `${incident.cpu} ${incident.task?.pid} ${incident.task?.comm}`;
    for (const [i, line] of lines.entries()) {
      const [, cpu, pid, comm, taint] = header.exec(line) ?? [];
      // who tells of a hung task is not the task
      if (cpu === undefined || comm === 'khungtaskd') continue;
      const owner = `${Number(cpu)} ${pid} ${comm}`;
      const its = told.filter((incident) => owners(incident) === owner);
      tally.compare('incident of CPU, task', owner, its.length === 0 ? undefined : owner);
      const letters = (taint ?? '').replace(/[ G]/g, '');
      const shown = its.map((incident) => (incident.taint?.flags ?? []).map(({ letter }) => letter).join(''));
      // the panic that an incident ends in says its header again, with what the incident itself has added (D, W, L)
      const before = letters.replace(/[DWL]/g, '');
      const why = shown.some((own) => own.replace(/[DWL]/g, '') === before && subset(own, letters))
        ? 'the incident itself tainted the kernel'
        : undefined;
      if (its.length > 0)
        tally.compare(`taint of ${owner}`, letters, shown.find((own) => own === letters) ?? shown[0], why);
      const [, symbol, offset] =
        /\b(?:RIP: 0010:|pc : )(\w[\w.]*)\+0x([0-9a-f]+)\//.exec(lines.slice(i, i + 6).join('\n')) ?? [];
      if (symbol === undefined || its.length === 0) continue;
      const at = `${symbol}+${offset}`;
      const places = its.map(({ instruction: it }) =>
        it === null ? 'nowhere' : `${it.symbol}+${it.offset.toString(16)}`,
      );
      tally.compare(`place of ${owner}`, at, places.find((own) => own === at) ?? places[0]);
    }
    // and nothing that the kernel did not say
    for (const { message } of told) tally.compare('message', message, log.includes(message) ? message : undefined);
  },
};

/** Whether each letter of one is among those of the other. */
function subset(one: string, other: string): boolean {
  return [...one].every((letter) => other.includes(letter));
}

/** The kernel's names of what taints it (`taint_flags`, kernel/panic.c), each in words that an explanation has. */
const taints: Readonly<Record<string, RegExp>> = {
  OOT_MODULE: /out-of-tree module/,
  UNSIGNED_MODULE: /unsigned module/,
  PROPRIETARY_MODULE: /proprietary module/,
  DIE: /died|oops/,
  WARN: /warning/,
  SOFTLOCKUP: /lockup|locked up/,
};
const letters = {
  P: 'PROPRIETARY_MODULE',
  D: 'DIE',
  W: 'WARN',
  O: 'OOT_MODULE',
  E: 'UNSIGNED_MODULE',
  L: 'SOFTLOCKUP',
};

export const taintWords: Fact = {
  name: 'what letters of taint mean',
  commands: Object.keys(letters).map((letter) => `explain ${letter}`),
  compare({ dmesgOfMakedumpfile: log = '' }, texts, tally) {
    // newer kernels say it themselves: `Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE`
    const named = new Map([...log.matchAll(/\[([A-Z])\]=(\w+)/g)].map(([, letter = '', name = '']) => [letter, name]));
    for (const [i, [letter, name]] of Object.entries(letters).entries()) {
      const meaning = /^. \(taint letter\)\n((?: .*\n)+)/m.exec(texts[i] ?? '')?.[1] ?? '';
      const means = taints[named.get(letter) ?? name];
      if (means === undefined) continue;
      tally.compare(`${letter}`, name, means.test(meaning) ? name : meaning.trim() || undefined);
    }
  },
};
