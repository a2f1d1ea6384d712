// What a thread of the receiver runs.
import { parentPort, workerData } from 'node:worker_threads';
import type { ReceiverCounts, SeenIncident } from './receiver.ts';
import { startThread, type ThreadOptions } from './thread.ts';

export type FromListenWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'incident'; readonly seen: SeenIncident }
  | { readonly kind: 'trouble'; readonly sentence: string }
  | { readonly kind: 'counts'; readonly counts: ReceiverCounts }
  | { readonly kind: 'ended'; readonly counts: ReceiverCounts };

const port = parentPort!;
const say = (message: FromListenWorker): void => port.postMessage(message);

const thread = await startThread(workerData as ThreadOptions, {
  incident: (seen) => say({ kind: 'incident', seen }),
  trouble: (sentence) => say({ kind: 'trouble', sentence }),
});
const timer = setInterval(() => say({ kind: 'counts', counts: thread.counts() }), 1000);
port.once('message', async () => {
  clearInterval(timer);
  await thread.end();
  say({ kind: 'ended', counts: thread.counts() });
  port.close();
});
say({ kind: 'ready' });
