// The title: one stable sentence, in the words that kernel people use for the kind, ending in the guilty function.
import { functionName } from './frames.ts';
import type { Headline } from './headlines/headline.ts';
import type { OpenIncident } from './incident.ts';
import { stable } from './stable_text.ts';

/**
 * Sets `title` and `altTitles`.
 * @param access what a sanitizer says was done: `Read`, `write`, ...
 * @param others functions that the same bug may be called by
 */
export function writeTitle(
  incident: OpenIncident,
  headline: Headline,
  access: string | undefined,
  others: readonly string[],
): void {
  const guilty = incident.guilty?.function;
  const fill = (template: string): string =>
    guilty === undefined ? template.replace(/ in %F$/, '') : template.replace('%F', guilty);
  let template = headline.title;
  const alternatives: string[] = [];
  switch (incident.kind) {
    case 'kasan': {
      const how =
        access === undefined || /free/.test(template.replace('use-after-free', ''))
          ? undefined
          : /write/i.test(access)
            ? 'Write'
            : /read/i.test(access)
              ? 'Read'
              : undefined;
      if (how !== undefined) template = template.replace(' in %F', ` ${how} in %F`);
      const old = template
        .replace('slab-use-after-free', 'use-after-free')
        .replace('slab-out-of-bounds', 'out-of-bounds');
      if (old !== template) alternatives.push(fill(old));
      break;
    }
    case 'null-pointer':
      template = 'BUG: unable to handle kernel NULL pointer dereference in %F';
      alternatives.push(fill('BUG: unable to handle kernel paging request in %F'));
      break;
    case 'bad-page-fault':
      alternatives.push(fill('unable to handle kernel paging request in %F'));
      break;
    case 'stack-overflow':
      if (/paging request|NULL pointer/.test(template)) template = 'kernel stack overflow in %F';
      break;
    case 'WARN': {
      const file = headline.file === undefined ? '' : headline.file.replace(/:\d{1,7}$/, '');
      if (/kernel\/locking\/lockdep\.c$/.test(file)) template = 'WARNING: locking bug in %F';
      else if (/lib\/kobject\.c$/.test(file)) template = 'WARNING: kobject bug in %F';
      const detail = incident.detail?.split('\n')[0];
      if (detail !== undefined && detail !== '') alternatives.push(`WARNING: ${stable(detail)}`);
      if (template !== 'WARNING in %F') alternatives.push(fill('WARNING in %F'));
      break;
    }
    case 'refcount':
    case 'odebug':
    case 'list-corruption':
    case 'usercopy':
    case 'fortify': {
      const warned = headline.kind === 'WARN' || /^WARNING/.test(incident.message);
      alternatives.push(fill(warned ? 'WARNING in %F' : 'kernel BUG in %F'));
      break;
    }
    case 'BUG':
      if (headline.file !== undefined) alternatives.push(`kernel BUG at ${headline.file.replace(/:\d{1,7}$/, '')}`);
      break;
    case 'out-of-memory':
      template = oomTitle(incident, headline);
      break;
    default:
      break;
  }
  incident.title = fill(
    headline.strong
      ? template
      : stable(template.replace(/ in %F$/, '')) + (template.endsWith(' in %F') ? ' in %F' : ''),
  ).slice(0, 200);
  if (guilty === undefined && incident.title.includes('%F')) incident.title = incident.title.replace(/ ?%F/, '');
  incident.title = incident.title.replace('%F', guilty ?? '');
  for (const frame of guilty === undefined ? [] : [incident.instruction?.symbol, headline.frame]) {
    if (frame === undefined || frame === null) continue;
    const name = functionName(frame.replace(/\+0x.*/, '').replace(/ \[.*/, ''));
    if (name !== guilty && /^[A-Za-z_]\w*$/.test(name)) alternatives.push(template.replace('%F', name));
  }
  if (template.includes('%F')) for (const name of others) alternatives.push(template.replace('%F', name));
  if (incident.panic !== null && headline.role !== 'panic')
    alternatives.push(`kernel panic: ${stable(incident.panic)}`);
  incident.altTitles = [...new Set(alternatives)].filter(
    (title) => title !== incident.title && title !== '' && !title.includes('%F'),
  );
}

function oomTitle(incident: OpenIncident, headline: Headline): string {
  const all = [incident.message, ...incident.memory];
  if (incident.panic !== null) return `kernel panic: ${stable(incident.panic)}`;
  const cgroup = all.some((line) => /[Mm]emory cgroup out of memory|constraint=CONSTRAINT_MEMCG|mem_cgroup/.test(line));
  const victim = incident.otherTasks[0]?.comm ?? (headline.traceless === true ? headline.comm : undefined);
  const what = cgroup ? 'Memory cgroup out of memory' : 'Out of memory';
  return victim === undefined ? what : `${what}: Killed process (${victim})`;
}
