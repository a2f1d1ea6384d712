// Reports that are printed at once, without caller ids, take turns line by line. What each of them still misses, and
// what it has named, tells whose the next line is.
import type { Draft } from './draft.ts';
import { LinePattern } from './line_pattern.ts';
import type { LogLine } from './log_line.ts';
import { endMark, traceHead } from './shapes.ts';

const frameOrEnd = new LinePattern(/^(?:[ \t[]|---\[)/);

/**
 * Which of the reports a line belongs to.
 * @param current gets the line if nothing speaks for another
 * @param older oldest first
 */
export function likeliest(line: LogLine, current: Draft, older: readonly Draft[]): Draft {
  let best = current;
  let bestScore = affinity(current, line.text);
  const frame = frameOrEnd.test(line.text);
  for (let i = older.length - 1; i >= 0; i--) {
    const draft = older[i]!;
    if (line.number - draft.lastNumber > 16) continue;
    const score = affinity(draft, line.text);
    // of two that both wait for such a line the older one comes first; a frame follows the frame before it
    const wins =
      score > 0 &&
      (frame ? score > bestScore || (score === bestScore && draft.lastNumber > best.lastNumber) : score >= bestScore);
    if (wins) {
      best = draft;
      bestScore = score;
    }
  }
  return best;
}

/**
 * How likely it is that a line belongs to a report: 3 it names this report's task or function, 2 it is the next thing
 * missing, 1 it continues an open trace, 0 nothing speaks for it, -1 it cannot be.
 */
function affinity(draft: Draft, text: string): number {
  const { incident, headline } = draft;
  if (draft.ended) return -1;
  const c = text.charCodeAt(0);
  if (c === 0x20 || c === 0x09 || c === 0x5b) return draft.inTrace ? (draft.awaitsFrames ? 2 : 1) : 0;
  if (text.startsWith('CPU: ') || text.startsWith('Pid: ')) {
    if (draft.sawTask) return -1;
    const pid = /(?:PID|Pid): (\d{1,10})/.exec(text)?.[1];
    if (headline.pid !== undefined && pid !== undefined) return headline.pid === Number(pid) ? 3 : -1;
    // the die line comes before it
    if ((incident.kind === 'null-pointer' || incident.kind === 'bad-page-fault') && incident.dieCount === null)
      return 1;
    const cpu = /^CPU: (\d{1,5})/.exec(text)?.[1];
    return headline.cpu !== undefined && cpu !== undefined && headline.cpu !== Number(cpu) ? -1 : 2;
  }
  if (text.startsWith('RIP: ') || text.startsWith('pc : ')) {
    const name = (draft.namedFunctions.at(-1) ?? '').replace(/\+0x.*/, '');
    if (incident.instruction !== null || draft.hasTrace) return 0;
    if (name !== '' && incident.kind !== 'kasan') return text.includes(`${name}+`) ? 3 : -1;
    return draft.sawTask ? 2 : 1;
  }
  if (text.startsWith('Code: '))
    return incident.code === null && incident.instruction !== null && !draft.hasTrace ? 2 : 0;
  if (text.startsWith('Hardware name: ')) return incident.hardware === null && draft.sawTask ? 2 : 0;
  if (text.startsWith('#PF: ') || text.startsWith('PGD '))
    return incident.dieCount === null && /pointer|fault/.test(incident.kind) ? 2 : -1;
  if (endMark.test(text)) {
    const printsOne =
      incident.dieCount !== null || incident.kind === 'WARN' || /^WARNING|BUG at/.test(incident.message);
    return draft.hasTrace && printsOne ? 2 : -1;
  }
  if (traceHead.test(text)) return draft.hasTrace || draft.inTrace ? 0 : draft.sawTask ? 2 : 1;
  return 0;
}
