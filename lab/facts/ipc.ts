// System V IPC: /proc/sysvipc against `ipcs`.
import type { Fact } from '../fact.ts';

/** What is compared of each kind: the columns of /proc/sysvipc, and those that `ipcs` shows behind the address. */
const kinds = [
  { file: 'shm', header: 'SHMID_KERNEL', columns: ['key', 'shmid', 'uid', 'perms', 'size', 'nattch'] },
  { file: 'sem', header: 'SEM_ARRAY', columns: ['key', 'semid', 'uid', 'perms', 'nsems'] },
  { file: 'msg', header: 'MSG_QUEUE', columns: ['key', 'msqid', 'uid', 'perms', 'cbytes', 'qnum'] },
] as const;

export const ipc: Fact = {
  name: 'System V IPC',
  commands: ['ipcs'],
  compare({ picture }, [text = ''], tally) {
    for (const { file, header, columns } of kinds) {
      const [names = [], ...rows] = picture.rows(`sysvipc/${file}`);
      const section = text.split(/\n\n+/).find((part) => part.startsWith(header)) ?? '';
      const shown = [...section.matchAll(/^[0-9a-f]{16} (.*)$/gm)].map(([, row]) => row!.trim().split(/\s+/));
      for (const row of rows) {
        const said = columns.map((name) => inFormOfIpcs(name, row[names.indexOf(name)] ?? ''));
        const here = shown.find(([key, id]) => key === said[0] && id === said[1]);
        for (const [i, name] of columns.entries()) {
          tally.compare(`${file} ${said[1]}: ${name}`, said[i]!, here?.[i]);
        }
      }
      if (names.length > 0) tally.compare(`${file}: how many`, rows.length, shown.length);
    }
  },
};

function inFormOfIpcs(column: string, value: string): string {
  // a key is signed there; permissions have the marks of removal and locking above them
  if (column === 'key') return (Number(value) >>> 0).toString(16).padStart(8, '0');
  if (column === 'perms') return (Number.parseInt(value, 8) & 0o777).toString(8);
  return value;
}
