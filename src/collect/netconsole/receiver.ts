// What one thread of the receiver does: packets in, files and incidents out. Knows no sockets.
//
//     packet --> Host (limits) --> HostStream --> lines --> BootFiles, within 100 ms
//                                                      \-> LogScanner --> incidents, when they are complete or all is quiet
import type { BlockList } from 'node:net';
import { join } from 'node:path';
import type { Incident } from '../../oops/incident.ts';
import { LogScanner } from '../../oops/scanner.ts';
import { BootFiles, type FileLimits, type LastRecord } from './boot_files.ts';
import { type HostCounts, type HostSink, HostStream, type NetRecord, noCounts, printedAt } from './host_stream.ts';
import { consoleLines, jsonLine, missingJson, missingLine } from './lines.ts';
import { PendingLines } from './pending_lines.ts';
import type { PlainRecord } from './plain_record.ts';
import { readTestMessage, type TestMessage } from './test_message.ts';

export interface ReceiverLimits extends FileLimits {
  /** Packets a second that a source may send, each line of plain text counted as one, and bytes. */
  readonly sourcePackets: number;
  readonly sourceBytes: number;
  /** Sources that are kept apart. */
  readonly sources: number;
}

export interface ReceiverOptions {
  readonly directory: string;
  readonly limits: ReceiverLimits;
  /** Networks that may send; null: all. */
  readonly allowed: BlockList | null;
}

/** An incident, and where it was seen. */
export interface SeenIncident {
  /** The machine's folder: source address and port. */
  readonly host: string;
  /** File in which its text stands. */
  readonly file: string;
  /** When its last line was received, in ms since 1970. */
  readonly received: number;
  readonly incident: Incident;
}

export interface ReceiverEvents {
  incident(seen: SeenIncident): void;
  /** A machine tests whether it is heard: the mark goes back to it. */
  tested(address: string, test: TestMessage): void;
  /** Something that an operator should know, a sentence. */
  trouble(sentence: string): void;
}

export interface ReceiverCounts extends HostCounts {
  hosts: number;
  incidents: number;
  /** Packets that were not looked at: of sources that are not allowed, too many, or too fast. */
  refused: number;
  limited: number;
  /** Records that could not be written. */
  unwritten: number;
}

/**
 * What has been received is written after so many ms for each machine that waits, and after so many at most: at once where few
 * machines send, in larger pieces where many do, since writing is what costs most.
 */
const writeAfterEach = 1;
const writeAfter = 70;
/** ... for so many ms at once, so that sockets are not left alone for long. */
const writesFor = 3;
/**
 * What waits for the disk, of all machines together, in bytes: more is written before another packet is read, so that the
 * kernel drops what is too much, and counts it.
 */
const maxWaiting = 12 << 20;
/** What waits for a disk that is full, a machine, in bytes. */
const maxUnwritten = 4 << 20;
/** ... and of all of them. */
const maxAllUnwritten = 64 << 20;
/** No machine boots more often, in ms: what looks like it goes on in the same file. */
const shortestBoot = 1000;
/** After so many ms without a line a report is over. */
const quiet = 3000;
/** File descriptors of a machine that is silent are given back after so many ms. */
const idle = 30_000;
/** A machine's boots are told apart by when they began: clocks may differ by so many ms. */
const clockSlack = 60_000;
const maxRefused = 10_000;
/** An address may have so many ports, or a quarter of all sources: one machine cannot take the place of all others. */
const fewest = 64;

/** Names are made of numbers that the socket gives, never of anything that was sent. */
export function hostName(address: string, port: number): string {
  return `${address.replace(/[^0-9a-fA-F.]/g, '-')}_${port}`;
}

class Host implements HostSink {
  readonly name: string;
  readonly stream: HostStream;
  readonly files: BootFiles;
  readonly scanner = new LogScanner();
  /** What is not written yet. */
  readonly log = new PendingLines();
  readonly records = new PendingLines();
  waitingRecords = 0;
  dirtySince = 0;
  lastSeen = 0;
  lastLine = 0;
  private lastBoot = Number.NEGATIVE_INFINITY;
  /** Whether the stream waits for something, and is in the receiver's list. */
  listed = false;
  /** Whether text was scanned since the scanner was last told that all is quiet. */
  unsettled = false;
  tokens: number;
  byteTokens: number;
  refilled = 0;
  limited = 0;
  private readonly address: string;
  private lastTest = Number.NEGATIVE_INFINITY;
  private microseconds = 0;
  private readonly receiver: Receiver;

  constructor(receiver: Receiver, name: string, address: string, files: BootFiles, tokens: number, byteTokens: number) {
    this.receiver = receiver;
    this.name = name;
    this.address = address;
    this.files = files;
    this.stream = new HostStream(this);
    this.tokens = tokens;
    this.byteTokens = byteTokens;
  }

  boot(_release: string | null, microseconds: number | null): void {
    this.receiver.write(this);
    this.receiver.settle(this);
    if (this.receiver.now - this.lastBoot >= shortestBoot)
      this.files.begin(this.receiver.wall - (microseconds ?? 0) / 1000);
    this.lastBoot = this.receiver.now;
    this.microseconds = microseconds ?? 0;
  }

  /** Goes on where an earlier run of the receiver stopped. */
  resume(last: LastRecord): void {
    this.stream.resume(last.sequence === null ? null : last.sequence + 1, last.microseconds, last.release);
    this.microseconds = last.microseconds;
    this.files.goOn(this.receiver.wall);
  }

  record(record: NetRecord): void {
    this.add(consoleLines(record), jsonLine(record, this.receiver.wall));
    if (record.microseconds !== null) this.microseconds = record.microseconds;
    this.answer(record.text);
  }

  plain(record: PlainRecord, packet: Buffer): void {
    const { log, records, receiver } = this;
    const before = log.length + records.length;
    if (this.waitingRecords++ === 0) receiver.dirty(this);
    record.writeLine(packet, log);
    record.writeJson(packet, receiver.received, records);
    receiver.waiting += log.length + records.length - before;
    this.microseconds = record.microseconds;
    if (packet[record.textAt] === 0x69 /* i */) this.answer(packet.toString('latin1', record.textAt, record.textEnd));
  }

  /** A machine may ask whether it is heard. */
  private answer(text: string): void {
    const test = readTestMessage(text);
    if (test === null || this.receiver.now - this.lastTest < 1000) return;
    this.lastTest = this.receiver.now;
    this.receiver.events.tested(this.address, test);
  }

  missing(from: number, to: number): void {
    this.add(missingLine(from, to, this.microseconds), missingJson(from, to, this.receiver.wall));
  }

  /** Everything was written, or is given up. */
  clear(): void {
    this.receiver.waiting -= this.waitingBytes;
    this.log.clear();
    this.records.clear();
    this.waitingRecords = 0;
  }

  get waitingBytes(): number {
    return this.log.length + this.records.length;
  }

  private add(log: string, record: string): void {
    if (this.waitingRecords === 0) this.receiver.dirty(this);
    const before = this.waitingBytes;
    this.log.add(log);
    this.records.add(record);
    this.waitingRecords++;
    this.receiver.waiting += this.waitingBytes - before;
  }
}

export class Receiver {
  readonly counts: ReceiverCounts = {
    ...noCounts(),
    hosts: 0,
    incidents: 0,
    refused: 0,
    limited: 0,
    unwritten: 0,
  };
  /** All that came, whether it was looked at or not. */
  packets = 0;
  /** Bytes that wait to be written. */
  waiting = 0;
  /** The wall clock, in ms since 1970, as of the last packet or tick. */
  wall = 0;
  /** What stands behind a plain record's text in JSON. */
  received: Uint8Array = new Uint8Array(0);
  private readonly options: ReceiverOptions;
  readonly events: ReceiverEvents;
  private readonly hosts: Host[] = [];
  private readonly byAddress = new Map<string, Map<number, Host>>();
  private readonly refused = new Set<string>();
  /** Machines with something to write, in the order in which it came. */
  private readonly queue: Host[] = [];
  /** Machines that have sent what waits for something else. */
  private incomplete: Host[] = [];
  /** Those whose files could not be written. */
  private retry: Host[] = [];
  /** In ms, on a clock that only goes forward. */
  now = 0;
  private nextRound = 0;
  private saidFull = false;
  private saidMany = false;

  constructor(options: ReceiverOptions, events: ReceiverEvents) {
    this.options = options;
    this.events = events;
  }

  /**
   * Takes a packet.
   * @param now in ms, on a clock that only goes forward
   * @param wall in ms since 1970
   */
  packet(bytes: Buffer, address: string, port: number, now: number, wall: number): void {
    this.setTime(now, wall);
    this.packets++;
    const host = this.byAddress.get(address)?.get(port) ?? this.newHost(address, port, bytes);
    if (host === null) {
      this.counts.refused++;
      return;
    }
    host.lastSeen = now;
    if (!this.withinLimits(host, bytes.length)) {
      host.limited++;
      this.counts.limited++;
      return;
    }
    const { records } = host.stream.counts;
    host.stream.packet(bytes, now);
    // a packet of plain text may hold a thousand lines, each as much work as a packet
    host.tokens -= Math.max(0, host.stream.counts.records - records - 1);
    if (host.stream.waiting && !host.listed) {
      host.listed = true;
      this.incomplete.push(host);
    }
    if (this.waiting > maxWaiting) this.writeAll();
  }

  private setTime(now: number, wall: number): void {
    this.now = now;
    if (wall === this.wall) return;
    this.wall = wall;
    this.received = new Uint8Array(Buffer.from(`","received":${wall}`, 'latin1'));
  }

  /** To be called every few ms: writes what has waited, gives up what does not come, closes reports that are over. */
  tick(now: number, wall: number): void {
    this.setTime(now, wall);
    if (this.incomplete.length > 0) this.completeStreams();
    const until = performance.now() + writesFor;
    const after = Math.min(writeAfter, (this.queue.length - 1) * writeAfterEach);
    let written = 0;
    while (written < this.queue.length && now - this.queue[written]!.dirtySince >= after) {
      this.write(this.queue[written++]!);
      if (performance.now() >= until) break;
    }
    if (written > 0) this.queue.splice(0, written);
    if (now < this.nextRound) return;
    this.nextRound = now + 100;
    if (this.retry.length > 0) this.queue.push(...this.retry.splice(0));
    for (const host of this.hosts) {
      if (host.unsettled && now - host.lastLine >= quiet) this.settle(host);
      if (now - host.lastSeen >= idle && host.files.isOpen && host.waitingRecords === 0) host.files.close();
    }
  }

  /** Nothing more comes: everything is written. */
  end(): void {
    for (const host of this.hosts) {
      host.stream.end();
      this.write(host);
      this.settle(host);
      host.files.close();
    }
  }

  /** Counts of all machines together. */
  sum(): ReceiverCounts {
    const sum = { ...this.counts, hosts: this.hosts.length };
    for (const { stream } of this.hosts)
      for (const name of Object.keys(stream.counts) as (keyof HostCounts)[]) sum[name] += stream.counts[name];
    return sum;
  }

  dirty(host: Host): void {
    host.dirtySince = this.now;
    this.queue.push(host);
  }

  private completeStreams(): void {
    this.incomplete = this.incomplete.filter((host) => {
      host.stream.tick(this.now);
      host.listed = host.stream.waiting;
      return host.listed;
    });
  }

  private writeAll(): void {
    for (const host of this.queue.splice(0)) this.write(host);
  }

  /** Writes what a machine sent, and looks for incidents in it. */
  write(host: Host): void {
    if (host.waitingRecords === 0) return;
    const text = host.log.bytes;
    try {
      this.withDescriptors(() => host.files.append(text, host.records.bytes, this.wall));
      this.saidFull = false;
    } catch (error) {
      this.keepOrDrop(host, error as NodeJS.ErrnoException);
      return;
    }
    const incidents = host.scanner.push(text);
    host.clear();
    host.lastLine = this.now;
    host.unsettled = true;
    this.tell(host, incidents);
  }

  /** Does work that opens files. @throws the file system's error */
  private withDescriptors<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
      // more machines than descriptors: those that have nothing to write give theirs, or else all
      this.closeFiles();
      return work();
    }
  }

  /** Nothing more belongs to what was reported. */
  settle(host: Host): void {
    if (!host.unsettled) return;
    host.unsettled = false;
    this.tell(host, host.scanner.end());
  }

  private tell(host: Host, incidents: readonly Incident[]): void {
    for (const incident of incidents) {
      this.counts.incidents++;
      this.events.incident({ host: host.name, file: host.files.path, received: this.wall, incident });
    }
  }

  /** A disk that is full: what is there is kept for a while, and then given up, which is said. */
  private keepOrDrop(host: Host, error: NodeJS.ErrnoException): void {
    if (!this.saidFull) this.events.trouble(`${host.files.path}: cannot be written (${error.code ?? error.message})`);
    this.saidFull = true;
    if (host.waitingBytes > maxUnwritten || this.waiting > maxAllUnwritten) {
      this.counts.unwritten += host.waitingRecords;
      host.clear();
      return;
    }
    this.retry.push(host);
  }

  private closeFiles(): void {
    const open = this.hosts.filter(({ files }) => files.isOpen);
    const silent = open.filter(({ waitingRecords }) => waitingRecords === 0);
    for (const { files } of silent.length > 0 ? silent : open) files.close();
  }

  private newHost(address: string, port: number, packet: Buffer): Host | null {
    const key = `${address} ${port}`;
    if (this.refused.has(key)) return null;
    const { allowed, directory, limits } = this.options;
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    const isAllowed = allowed === null || allowed.check(address, family);
    const same = this.byAddress.get(address);
    const isFull = this.hosts.length >= limits.sources || (same?.size ?? 0) >= Math.max(fewest, limits.sources / 4);
    if (!isAllowed || isFull) {
      if (isAllowed && !this.saidMany) {
        this.saidMany = true;
        const who = this.hosts.length >= limits.sources ? `${limits.sources} sources` : `${same!.size} of ${address}`;
        this.events.trouble(`${who} are kept apart: others are not heard`);
      }
      if (this.refused.size < maxRefused) this.refused.add(key);
      return null;
    }
    const name = hostName(address, port);
    const files = new BootFiles(join(directory, name), limits);
    const host = new Host(this, name, address, files, limits.sourcePackets, limits.sourceBytes);
    try {
      const last = this.withDescriptors(() => files.last());
      const microseconds = last === null ? null : printedAt(packet);
      if (last !== null && microseconds !== null) {
        const began = last.received - last.microseconds / 1000;
        const begins = this.wall - microseconds / 1000;
        if (Math.abs(begins - began) <= clockSlack) host.resume(last);
      }
    } catch (error) {
      this.events.trouble(`${join(directory, name)}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
    host.refilled = this.now;
    this.hosts.push(host);
    if (same === undefined) this.byAddress.set(address, new Map([[port, host]]));
    else same.set(port, host);
    return host;
  }

  private withinLimits(host: Host, bytes: number): boolean {
    const { sourcePackets, sourceBytes } = this.options.limits;
    const seconds = (this.now - host.refilled) / 1000;
    if (seconds > 0.01) {
      host.tokens = Math.min(sourcePackets, host.tokens + seconds * sourcePackets);
      host.byteTokens = Math.min(sourceBytes, host.byteTokens + seconds * sourceBytes);
      host.refilled = this.now;
    }
    if (host.tokens < 1 || host.byteTokens < bytes) return false;
    host.tokens--;
    host.byteTokens -= bytes;
    return true;
  }
}
