// `inquest audit`: what of people and their data is still in a dump.
import { count, escapeLine } from '../base/text.ts';
import type { PageKind } from '../kernel/page_kind.ts';
import { type Audit, auditDump } from '../save/audit.ts';
import { openNamedKernel } from './open.ts';
import { writeOut } from './output.ts';
import { withProgress } from './progress.ts';

/** @returns the exit status: 1 if secrets that are known by their types can be read */
export async function runAudit(files: readonly string[], { json = false }: { json?: boolean }): Promise<number> {
  const audit = await withProgress('looking through every page', () => auditDump(openNamedKernel(files)));
  writeOut(json ? `${JSON.stringify(audit)}\n` : auditText(audit));
  return audit.secrets.some(({ readable }) => readable > 0) ? 1 : 0;
}

/** What may be in pages of a kind. */
const meanings: Readonly<Record<PageKind, string>> = {
  none: 'not known',
  free: 'free: whatever was in it last, of anyone',
  slab: 'slab',
  cache: 'page cache: contents of files',
  anonymous: 'memory of processes',
  hugetlb: 'memory of processes, huge pages',
  table: 'page tables',
  offline: 'offline',
  unaccepted: 'not yet accepted',
  reserved: 'reserved: the kernel itself, firmware',
  kernel: 'of the kernel: stacks, vmalloc, pipes, sockets, tty, modules',
};

/** What is in the objects of slab caches, by their names. */
const cacheMeanings: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/^dentry/, 'names of files'],
  [/^names_cache/, 'paths of files'],
  [/inode/, 'inodes: short symbolic links, attributes'],
  [/^(skb|skbuff)/, 'data of sockets'],
  [/^(dma-|)kmalloc/, 'anything: names, keys, data of sockets, pipes and terminals'],
  [/^(task_struct|cred|signal_cache|sighand)/, 'tasks: their names, users, groups'],
  [/^(mm_struct|vm_area|anon_vma)/, 'layout of processes'],
  [/(sock|TCP|UDP|UNIX|request)/i, 'sockets: addresses'],
  [/^(bio|scsi|nvme)/, 'commands of disks'],
];

/** Places that are shown; `--json` has them all. */
const mostPlaces = 24;

function auditText({ level, mini, erased, secrets, places }: Audit): string {
  const lines: string[] = [];
  lines.push(`level      ${level ?? 'not told'}${mini === null ? '' : ', a mini dump'}`);
  for (const line of erased?.trim().split('\n') ?? ['nothing']) lines.push(`erased     ${escapeLine(line)}`);
  lines.push('', 'Secrets known by their types:');
  for (const { kind, known, readable, bytes, whose } of secrets) {
    const names = whose.map(escapeLine).join(', ');
    const what =
      readable === 0
        ? known === 0
          ? 'none'
          : `none of ${known}`
        : `${readable} of ${known}, ${bytes} bytes: ${names}`;
    lines.push(`  ${kind.padEnd(14)} ${what}`);
  }
  lines.push('', 'Texts (8 characters and more), by where they lie:', '     pages     texts  copies of secrets  place');
  for (const { kind, cache, pages, texts, copies } of places.slice(0, mostPlaces)) {
    const meaning =
      cache === null
        ? meanings[kind]
        : (cacheMeanings.find(([pattern]) => pattern.test(cache))?.[1] ?? 'objects of the kernel');
    const name = cache === null ? kind : `${kind} ${escapeLine(cache)}`;
    lines.push(
      `${String(pages).padStart(10)}${String(texts).padStart(10)}${String(copies).padStart(19)}  ${name}: ${meaning}`,
    );
  }
  if (places.length > mostPlaces)
    lines.push(`  and ${count(places.length - mostPlaces, 'more place')}: --json lists them`);
  lines.push(
    '',
    'Not known to this: keys of libraries and programs in their own memory; of kernel modules without types;',
    'what texts mean; and what is no text (pictures, numbers, compressed and encoded data).',
  );
  return `${lines.join('\n')}\n`;
}
