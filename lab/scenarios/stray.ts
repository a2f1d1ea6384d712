// Bad pointers that came from somewhere in particular (module/stray.c): the report tells where each came from.
import { type Scenario, waysOf } from '../scenario.ts';

const fault = /unable to handle|BUG: kernel NULL|general protection/i;

const byStray = waysOf('stray');
const stray = (way: string, about: string, verdict: Scenario['verdict']): Scenario =>
  byStray(way, about, fault, verdict);

const nothing = 'null-pointer';

export const strays: readonly Scenario[] = [
  stray('peer', 'a pointer in what a pointer in an argument points to is NULL', {
    kind: nothing,
    at: 'stray_peer_packets',
    sentence: /loaded from \S*peer->link, and that is NULL/,
  }),
  stray('table', 'an entry of a table of pointers was never set', {
    kind: nothing,
    at: 'stray_peer_packets',
    sentence: /loaded from .*links.*NULL/,
  }),
  stray('freed', 'a pointer in an object that was freed, and filled with a pattern', {
    kind: ['use-after-free', 'general-protection', 'bad-page-fault'],
    at: 'stray_touch',
    sentence: /loaded from link->peer.*0x6b6b6b6b6b6b6b6b.*free/,
  }),
  stray('errptr', 'an error that a function returned is used as a pointer', {
    kind: ['bad-page-fault', nothing],
    at: 'stray_bytes_of',
    sentence: /what stray_find\(\) returned.*-2/,
  }),
  stray('ops', 'a function in a table of operations is not there', {
    kind: nothing,
    says: /pointer was loaded from \S*ops->send, and that is NULL/,
  }),
  stray('text', 'a list entry that text was written over', {
    kind: ['general-protection', 'bad-page-fault'],
    at: 'stray_walk',
    sentence: /the text "ABCDEFGH"/,
  }),
  stray('memcpy', 'memcpy() from a pointer that a caller two functions up never set', {
    kind: nothing,
    sentence: /loaded from .*links\[3\], and that is NULL/,
  }),
  stray('percpu', 'a per-CPU pointer was never set', {
    kind: nothing,
    at: 'stray_here',
    sentence: /loaded from stray_percpu of CPU \d, and that is NULL/,
  }),
  stray('index', 'an index that is far too large', {
    kind: ['bad-page-fault', 'general-protection', nothing],
    at: 'stray_nth',
    sentence: /current_link/,
  }),
  stray('passed', 'NULL that a caller passes through another', {
    kind: nothing,
    at: 'stray_peer_packets',
    sentence: /stray_passes\(\) passes NULL/,
  }),
  stray('task', "a member of the running task's task_struct is NULL", {
    kind: nothing,
    at: 'stray_of_task',
    sentence: /loaded from (?:task|current)->journal_info, and that is NULL/,
  }),
];
