// The receiver as a whole: its threads, the logs that it follows, what it tells of incidents and of itself.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { basename, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { threadProgram } from '../../base/threads.ts';
import type { Incident } from '../../oops/incident.ts';
import { Alerts, type IncidentAlert } from './alerts.ts';
import { FollowedFile, Positions } from './follow.ts';
import type { FromListenWorker } from './listen_worker.ts';
import { type Health, serveMetrics } from './metrics.ts';
import type { ReceiverCounts, SeenIncident } from './receiver.ts';
import { droppedPackets } from './sockets.ts';
import type { ThreadOptions } from './thread.ts';

export interface ListenOptions extends ThreadOptions {
  /** Threads that receive. */
  readonly threads: number;
  /** Logs that are followed. */
  readonly follow: readonly string[];
  /** For /bin/sh, run for each incident; null: none. */
  readonly command: string | null;
  /** Loopback port of /metrics and /health; null: none. */
  readonly metricsPort: number | null;
}

export interface ListenEvents {
  incident(alert: IncidentAlert): void;
  trouble(sentence: string): void;
}

/**
 * Of a thread, in MB. Packets are garbage as soon as they are written: what V8 would keep of them is many times that, and
 * much less would have it look for garbage all the time.
 */
const youngGeneration = 48;
/** Packets that the kernel dropped are told so often, in ms. */
const dropsEvery = 10_000;
/** How long something that went wrong is told by /health, in ms. */
const troubleLasts = 60_000;

interface ListenWorker {
  readonly worker: Worker;
  counts: ReceiverCounts | null;
  readonly exited: Promise<unknown>;
}

export class Listener {
  private readonly options: ListenOptions;
  private readonly events: ListenEvents;
  private readonly workers: ListenWorker[] = [];
  /** Rejected when a thread of the receiver ends on its own: packets are lost from then on. */
  readonly failed: Promise<never>;
  private fail: (error: unknown) => void = () => {};
  private readonly followed: FollowedFile[];
  /** Logs that cannot be read, and when that was told, in ms since 1970. */
  private readonly unread = new Map<FollowedFile, number>();
  private readonly positions: Positions;
  private readonly alerts: Alerts | null;
  private readonly troubles = new Map<string, number>();
  private server: Server | null = null;
  private timer: NodeJS.Timeout | null = null;
  private droppedBefore: number | null = null;
  private dropped: number | null = null;
  private droppedTold = 0;
  private droppedToldAt = 0;
  private followedIncidents = 0;
  private number = 0;

  private constructor(options: ListenOptions, events: ListenEvents) {
    this.options = options;
    this.events = events;
    this.failed = new Promise<never>((_, reject) => {
      this.fail = reject;
    });
    this.failed.catch(() => {}); // told to whoever waits for it
    mkdirSync(options.directory, { recursive: true, mode: 0o750 });
    this.alerts =
      options.command === null
        ? null
        : new Alerts(options.command, join(options.directory, '.spool'), (sentence) => this.trouble(sentence));
    this.positions = new Positions(join(options.directory, '.followed'));
    this.followed = options.follow.map(
      (path) => new FollowedFile(path, this.positions.of(path), (incident) => this.told(path, incident)),
    );
  }

  /** @throws the system's error if a port cannot be had */
  static async start(options: ListenOptions, events: ListenEvents): Promise<Listener> {
    const listener = new Listener(options, events);
    await listener.open();
    return listener;
  }

  private async open(): Promise<void> {
    const { options } = this;
    const { directory, limits, networks, sockets } = options;
    const data: ThreadOptions = { directory, limits, networks, sockets };
    for (let n = 0; n < options.threads && sockets.ports.length > 0; n++) await this.startWorker(data);
    this.droppedBefore = droppedPackets(options.sockets.ports);
    if (options.metricsPort !== null) {
      this.server = serveMetrics(options.metricsPort, () => this.health());
      await once(this.server, 'listening');
    }
    this.timer = setInterval(() => this.round(), 250);
  }

  private async startWorker(data: ThreadOptions): Promise<void> {
    const worker = new Worker(threadProgram('listen_worker', import.meta.url), {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: youngGeneration },
    });
    const entry: ListenWorker = { worker, counts: null, exited: once(worker, 'exit').catch(() => {}) };
    this.workers.push(entry);
    await new Promise<void>((resolve, reject) => {
      worker.on('error', (error) => {
        reject(error);
        this.fail(error);
      });
      worker.on('message', (message: FromListenWorker) => {
        switch (message.kind) {
          case 'ready':
            resolve();
            break;
          case 'incident':
            this.seen(message.seen);
            break;
          case 'trouble':
            this.trouble(message.sentence);
            break;
          case 'counts':
          case 'ended':
            entry.counts = message.counts;
            break;
        }
      });
    });
  }

  /** Writes everything and ends. */
  async end(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await Promise.all(
      this.workers.map(async ({ worker, exited }) => {
        worker.postMessage('end');
        await exited;
      }),
    );
    this.savePositions();
    for (const file of this.followed) file.end();
    this.alerts?.end();
    this.server?.close();
  }

  health(): Health {
    const now = Date.now();
    const counts = this.workers.map((entry) => entry.counts);
    const sum = counts.reduce<ReceiverCounts>(
      (total, one) => {
        if (one !== null) for (const key of Object.keys(total) as (keyof ReceiverCounts)[]) total[key] += one[key];
        return total;
      },
      {
        packets: 0,
        bytes: 0,
        records: 0,
        missing: 0,
        duplicates: 0,
        reordered: 0,
        incomplete: 0,
        hosts: 0,
        incidents: this.followedIncidents,
        refused: 0,
        limited: 0,
        unwritten: 0,
      },
    );
    return {
      counts: sum,
      dropped: this.dropped,
      alertsWaiting: this.alerts?.count ?? 0,
      troubles: [...this.troubles].filter(([, since]) => now - since < troubleLasts).map(([sentence]) => sentence),
    };
  }

  private round(): void {
    const now = Date.now();
    for (const file of this.followed) this.follow(file, now);
    this.savePositions();
    const dropped = droppedPackets(this.options.sockets.ports);
    if (dropped === null || this.droppedBefore === null) return;
    const since = Math.max(0, dropped - this.droppedBefore);
    this.dropped = Math.max(since, this.dropped ?? 0);
    const more = this.dropped - this.droppedTold;
    if (more === 0 || now - this.droppedToldAt < dropsEvery) return;
    this.droppedTold = this.dropped;
    this.droppedToldAt = now;
    this.trouble(`the kernel dropped ${more} packets that were not read in time`);
  }

  /** Whatever one file has does not keep the others, or the receiver, from theirs. */
  private follow(file: FollowedFile, now: number): void {
    const problem = file.tick(now);
    const told = this.unread.get(file);
    if (problem === null) this.unread.delete(file);
    // one that is not there yet may come next year
    else if (told === undefined || (problem !== 'ENOENT' && now - told >= troubleLasts / 2)) {
      this.unread.set(file, now);
      this.trouble(`${file.path}: cannot be read (${problem}); it is tried again and again`);
    }
  }

  private savePositions(): void {
    if (this.followed.length === 0) return;
    try {
      this.positions.save(this.followed);
    } catch (error) {
      this.trouble(`how far logs were read cannot be kept (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  private trouble(sentence: string): void {
    this.troubles.set(sentence, Date.now());
    if (this.troubles.size > 100) this.troubles.delete(this.troubles.keys().next().value!);
    this.events.trouble(sentence);
  }

  private told(path: string, incident: Incident): void {
    this.followedIncidents++;
    this.seen({ host: basename(path), file: path, received: Date.now(), incident });
  }

  private seen(seen: SeenIncident): void {
    const hash = createHash('sha256').update(`${seen.host}\n${seen.file}\n${seen.received}\n${this.number++}`);
    const alert: IncidentAlert = { id: `${seen.received}-${hash.digest('hex').slice(0, 12)}`, ...seen };
    this.events.incident(alert);
    this.alerts?.add(alert);
  }
}
