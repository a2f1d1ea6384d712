// oops: every incident in the dead kernel's log, explained, as `inquest oops` has it.
import { escapeLogLine } from '../../base/text.ts';
import { defineStream } from '../../commands/command.ts';
import { flag } from '../../commands/params.ts';
import { readLog } from '../../kernel/printk.ts';
import { explain } from '../../oops/explain.ts';
import type { Incident } from '../../oops/incident.ts';
import { renderIncident } from '../../oops/render.ts';
import type { Analysis } from '../../triage/analysis.ts';
import { logIncidents } from '../../triage/log_incidents.ts';
import { readSettings } from '../../triage/settings.ts';

export interface OopsItem {
  readonly incident: Incident;
  /** Sysctls that matter to it, with their values in the dead kernel. */
  readonly settings: Analysis['settings'];
}

export const oops = defineStream({
  name: 'oops',
  help: {
    summary: 'every oops, panic, lockup and warning in the log, explained',
    description: `Reads the kernel's log for incidents, and prints each with its task, place, registers and traces, what it
means, what usually causes it, and where to look next.`,
    examples: [
      ['oops', 'all of them'],
      ['oops -t', 'a line for each'],
    ],
  },
  params: { titles: flag('t', 'only the title of each') },
  items: 'incidents',
  collect: ({ kernel }) => ({
    head: {},
    items: (function* (): Generator<OopsItem, { readonly count: number }> {
      const incidents = logIncidents(kernel, readLog(kernel));
      for (const incident of incidents) yield { incident, settings: readSettings(kernel, explain(incident).sysctls) };
      return { count: incidents.length };
    })(),
  }),
  text: {
    item({ incident, settings }, { options }, _head, index) {
      if (options.titles) return `${escapeLogLine(incident.title)}\n`;
      const sysctls = new Map(settings.flatMap(({ name, value }) => (value === null ? [] : [[name, value] as const])));
      return `${index === 0 ? '' : '\n'}${renderIncident(incident, { sysctls })}`;
    },
    tail: ({ count }) => (count === 0 ? '(no incident in the log)\n' : ''),
  },
});
