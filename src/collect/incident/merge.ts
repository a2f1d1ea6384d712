// Which witnesses saw the same death, and what they say of it together.
import type { Incident } from '../../oops/incident.ts';
import { similarity } from '../../oops/signature.ts';
import { hardwareAdvice } from '../hardware/advice.ts';
import type { HardwareError } from '../hardware/hardware_error.ts';
import { mainIncident, type SourceKind, type Witness } from './witness.ts';

/** One source, and what makes it one of this death. */
export interface SourceAccount {
  readonly source: string;
  readonly kind: SourceKind;
  /** Why it is believed to be of this death. */
  readonly because: string;
  readonly lines: number;
  readonly incidents: number;
  /** How far its clock is ahead of the others', in ms; null: it has none, or it is the one that others are held against. */
  readonly clockAhead: number | null;
}

/** A fact with those who tell it. */
export interface Told<T> {
  readonly value: T;
  readonly sources: readonly string[];
}

export interface Contradiction {
  readonly what: string;
  readonly values: readonly Told<string>[];
}

export interface TimelineEntry {
  /** Seconds since boot; null: only the wall clock is known. */
  readonly seconds: number | null;
  /** ISO, by the corrected clock; null: nobody knows it. */
  readonly time: string | null;
  readonly what: string;
  /** - `death`: what the machine died of; `trouble`: what came before or after; `note`: where sources begin and end */
  readonly weight: 'death' | 'trouble' | 'note';
  readonly sources: readonly string[];
}

/** Everything that one death left: what a server keeps of it. */
export interface MergedIncident {
  /** Equal for deaths of the same cause, whichever sources saw them; null: nothing says what it was. */
  readonly signature: string | null;
  readonly looseSignature: string | null;
  readonly title: string;
  readonly kind: string | null;
  readonly fatal: boolean;
  readonly host: string | null;
  readonly release: string | null;
  /** ISO, by the corrected clock. */
  readonly bootTime: string | null;
  readonly time: string | null;
  readonly sources: readonly SourceAccount[];
  /** Function, task, CPU, ...: each value with those who tell it. */
  readonly facts: readonly { readonly what: string; readonly values: readonly Told<string>[] }[];
  readonly contradictions: readonly Contradiction[];
  readonly hardware: readonly string[];
  readonly timeline: readonly TimelineEntry[];
  /** The fullest report of it. */
  readonly incident: Incident | null;
}

/** Lines that two sources must share. */
const enoughLines = 3;
/** Shorter texts say nothing. */
const tellingText = 12;
/** Wall clocks of a boot's beginning that may be one, in ms. */
const clockSlack = 120_000;
/** Seconds within which a report is printed: of two that are further apart, each is a report of its own. */
const oneReport = 5;
const alike = 0.8;

/** A line that more witnesses have is counted for neighbours alone: copies of one log are one death by those, too. */
const maxSharers = 16;

interface Group {
  readonly members: Witness[];
  readonly because: Map<Witness, string>;
}

/** Two witnesses of one death, and why. */
interface Link {
  readonly a: number;
  readonly b: number;
  /** The surest are followed first. */
  readonly weight: number;
  readonly reason: string;
}

/** Puts witnesses of the same death together. Those without any incident are kept only where they belong to another. */
export function mergeWitnesses(witnesses: readonly Witness[]): MergedIncident[] {
  const groups = witnesses.map((witness): Group => ({ members: [witness], because: new Map([[witness, 'its own']]) }));
  const groupOf = [...groups];
  for (const { a, b, reason } of linksOf(witnesses)) {
    const [into, from] = [groupOf[a]!, groupOf[b]!];
    // what one witness leaves open, another may know better
    if (into === from || into.members.some((one) => from.members.some((other) => isOther(one, other)))) continue;
    for (const member of from.members) {
      into.members.push(member);
      into.because.set(member, reason);
    }
    for (const [n, group] of groupOf.entries()) if (group === from) groupOf[n] = into;
  }
  return [...new Set(groupOf)]
    .filter(({ members }) => members.some(({ incidents, verdict }) => incidents.length > 0 || verdict !== null))
    .map(({ members, because }) => merged(members, because))
    .sort((a, b) => ((a.time ?? '~') < (b.time ?? '~') ? -1 : 1));
}

/** The surest first; else in the order of the witnesses. Each has the earlier witness as `a`. */
function linksOf(witnesses: readonly Witness[]): Link[] {
  const prints = witnesses.map(fingerprints);
  const shared = sharedPrints(prints);
  const links: Link[] = [];
  for (const [a, one] of witnesses.entries())
    for (let b = a + 1; b < witnesses.length; b++) {
      const other = witnesses[b]!;
      if (isOther(one, other)) continue;
      const lines = shared.get(a * witnesses.length + b) ?? 0;
      const fewer = Math.min(prints[a]!.size, prints[b]!.size);
      if (one.bootId !== null && other.bootId !== null) links.push({ a, b, weight: 1e9, reason: 'the same boot id' });
      else if (lines > 0 && isSameText(one, other, lines, fewer))
        links.push({ a, b, weight: lines, reason: `${lines} lines with the same time stand in both` });
      else {
        const reason = sameReport(one, other);
        if (reason !== null) links.push({ a, b, weight: 0, reason });
      }
    }
  return links.sort((x, y) => y.weight - x.weight);
}

/** How many lines two witnesses share, by `a * length + b`, a < b. */
function sharedPrints(prints: readonly ReadonlySet<string>[]): ReadonlyMap<number, number> {
  const sharers = new Map<string, number[]>();
  for (const [n, own] of prints.entries())
    for (const print of own) {
      const known = sharers.get(print);
      if (known === undefined) sharers.set(print, [n]);
      else known.push(n);
    }
  const shared = new Map<number, number>();
  for (const who of sharers.values())
    for (const [at, a] of who.entries())
      for (const b of who.slice(at + 1, at + 1 + (who.length > maxSharers ? 1 : maxSharers))) {
        const key = a * prints.length + b;
        shared.set(key, (shared.get(key) ?? 0) + 1);
      }
  return shared;
}

/** Whether two witnesses are of two boots, whatever they share. */
function isOther(a: Witness, b: Witness): boolean {
  if (a.bootId !== null && b.bootId !== null) return a.bootId !== b.bootId;
  if (a.release !== null && b.release !== null && a.release !== b.release) return true;
  return (
    a.bootTime !== null &&
    b.bootTime !== null &&
    a.host !== null &&
    a.host === b.host &&
    Math.abs(a.bootTime - b.bootTime) > 10 * clockSlack
  );
}

/**
 * A few lines of two boots come at the same microsecond by chance: of one boot, what was printed while both listened is alike.
 * @param shared lines that stand in both @param fewer lines of the witness that has fewer
 */
function isSameText(a: Witness, b: Witness, shared: number, fewer: number): boolean {
  return (
    shared >= Math.max(1, Math.min(enoughLines, fewer)) && shared * 10 >= Math.min(linesWithin(a, b), linesWithin(b, a))
  );
}

/** Why two witnesses without lines in common have the same report; null: they have not. */
function sameReport(a: Witness, b: Witness): string | null {
  const [mainA, mainB] = [mainIncident(a), mainIncident(b)];
  if (mainA === null || mainB === null) return null;
  const sameHost = a.host === null || b.host === null || a.host === b.host;
  const [stampA, stampB] = [mainA.timestamp, mainB.timestamp];
  const apart = stampA === null || stampB === null ? null : Math.abs(stampA - stampB);
  const clocks =
    sameHost && a.bootTime !== null && b.bootTime !== null && Math.abs(a.bootTime - b.bootTime) <= clockSlack;
  // at time 0 all boots are alike
  const sameMoment = apart !== null && apart < 0.001 && stampA! > 0;
  const soon = clocks && (apart === null || apart < oneReport);
  const bare = apart === null && sameHost && mainA.task?.pid === mainB.task?.pid && sameRegisters(mainA, mainB);
  if (!soon && !sameMoment && !bare) return null;
  if (similarity(mainA, mainB) < alike || otherRegisters(mainA, mainB)) return null;
  if (soon) return 'the same report, in boots that began together';
  return sameMoment ? 'the same report at the same time since boot' : 'the same report with the same registers';
}

/** Two boots that die at one place do so with other stacks and tasks. */
function otherRegisters(a: Incident, b: Incident): boolean {
  const values = new Map(a.registers.map(({ name, value }) => [name, value]));
  const shared = b.registers.filter(({ name }) => values.has(name));
  return (
    shared.length >= 6 && shared.filter(({ name, value }) => values.get(name) === value).length * 2 < shared.length
  );
}

function sameRegisters(a: Incident, b: Incident): boolean {
  const values = new Map(a.registers.map(({ name, value }) => [name, value]));
  const shared = b.registers.filter(({ name }) => values.has(name));
  return shared.length >= 6 && shared.every(({ name, value }) => values.get(name) === value);
}

/** Lines of a witness, of those that tell, printed between the other's first and last. */
function linesWithin({ lines }: Witness, { from, to }: Witness): number {
  return lines.filter(
    ({ seconds, text }) =>
      seconds !== null &&
      seconds > 0 &&
      text.length >= tellingText &&
      seconds >= (from ?? 0) &&
      seconds <= (to ?? Infinity),
  ).length;
}

/** Lines with their stamps: two boots of a kernel print the same, but not at the same microsecond. */
function fingerprints({ lines }: Witness): Set<string> {
  const prints = new Set<string>();
  // at time 0 all boots are alike
  for (const { seconds, text } of lines)
    if (seconds !== null && seconds > 0 && text.length >= tellingText)
      prints.add(`${seconds.toFixed(6)} ${text.trimEnd()}`);
  return prints;
}

/** The fullest report: whole before cut, then the one that says most. */
function fullest(incidents: readonly Incident[]): Incident | null {
  const weight = (incident: Incident): number =>
    (incident.corrupted ? 0 : 1000) +
    (incident.guilty === null ? 0 : 500) +
    Math.min(
      200,
      incident.traces.reduce((sum, { frames }) => sum + frames.length, 0),
    ) +
    incident.registers.length +
    (incident.panic === null ? 0 : 20);
  return incidents.reduce<Incident | null>(
    (best, one) => (best === null || weight(one) > weight(best) ? one : best),
    null,
  );
}

function merged(members: readonly Witness[], because: ReadonlyMap<Witness, string>): MergedIncident {
  const mains = members.flatMap((witness) => {
    const incident = mainIncident(witness);
    return incident === null ? [] : [{ witness, incident }];
  });
  const fatal = mains.filter(({ incident }) => incident.fatal);
  const incident = fullest((fatal.length > 0 ? fatal : mains).map((main) => main.incident));
  const dump = members.find(({ verdict }) => verdict !== null);
  const bootTime = trustedBootTime(members);
  const facts = factsOf(members, mains);
  const seconds = incident?.timestamp ?? null;
  const hardware = members.flatMap((witness) => witness.hardware);
  return {
    signature: incident?.signature ?? dump?.verdict?.signature ?? null,
    looseSignature: incident?.looseSignature ?? null,
    title: dump?.verdict?.title ?? incident?.title ?? 'unknown',
    kind: incident?.kind ?? null,
    fatal: dump !== undefined || fatal.length > 0,
    host:
      members.find(({ kind, host }) => kind === 'dump' && host !== null)?.host ??
      members.find(({ host }) => host !== null)?.host ??
      null,
    release: members.find(({ release }) => release !== null)?.release ?? null,
    bootTime: iso(bootTime),
    time: bootTime === null || seconds === null ? null : iso(bootTime + seconds * 1000),
    sources: members.map((witness) => ({
      source: witness.source,
      kind: witness.kind,
      because: because.get(witness) ?? 'its own',
      lines: witness.lineCount,
      incidents: witness.incidents.length,
      clockAhead:
        witness.bootTime === null || bootTime === null || witness.bootTime === bootTime
          ? null
          : Math.round(witness.bootTime - bootTime),
    })),
    facts: facts.filter(({ values }) => values.length > 0),
    contradictions: facts
      .filter(({ what, values }) => values.length > 1 && what !== 'title')
      .map(({ what, values }) => ({ what, values })),
    hardware: hardwareAdvice(once(hardware)).map(({ sentence }) => sentence),
    timeline: timelineOf(members, bootTime),
    incident,
  };
}

/** Several sources tell of the same error. */
function once(errors: readonly HardwareError[]): HardwareError[] {
  const seen = new Map(
    errors.map((error) => [
      `${error.status} ${error.address} ${error.what} ${error.cpu} ${error.device} ${error.location}`,
      error,
    ]),
  );
  return [...seen.values()];
}

/** A dump has the dead kernel's own clock; a receiver noted when packets came; a log's prefixes may be anyone's. */
function trustedBootTime(members: readonly Witness[]): number | null {
  for (const kind of ['dump', 'netconsole', 'log', 'pstore'] as const) {
    const found = members.find((witness) => witness.kind === kind && witness.bootTime !== null);
    if (found !== undefined) return found.bootTime;
  }
  return null;
}

function factsOf(
  members: readonly Witness[],
  mains: readonly { readonly witness: Witness; readonly incident: Incident }[],
): { readonly what: string; readonly values: readonly Told<string>[] }[] {
  const told = (
    what: string,
    of: (witness: Witness, incident: Incident | null) => string | number | null | undefined,
  ) => {
    const values = new Map<string, string[]>();
    for (const witness of members) {
      const value = of(witness, mains.find((main) => main.witness === witness)?.incident ?? null);
      if (value === null || value === undefined) continue;
      const key = String(value);
      values.set(key, [...(values.get(key) ?? []), witness.source]);
    }
    return { what, values: [...values].map(([value, sources]) => ({ value, sources })) };
  };
  return [
    told('title', ({ verdict }, incident) => verdict?.title ?? incident?.title),
    told('function', ({ verdict }, incident) =>
      verdict === null ? incident?.guilty?.function : (verdict.function ?? incident?.guilty?.function),
    ),
    told('CPU', ({ verdict }, incident) => verdict?.cpu ?? incident?.cpu),
    told('task', ({ verdict }, incident) => {
      if (verdict !== null && verdict.pid !== null) return `${verdict.comm ?? '?'} (pid ${verdict.pid})`;
      return incident?.task === null || incident === null
        ? null
        : `${incident.task.comm ?? '?'} (pid ${incident.task.pid})`;
    }),
    told('fault address', (_, incident) => incident?.faultAddress),
    told('panic', (_, incident) => incident?.panic),
    told('kernel', ({ release }) => release),
    told('host', ({ host, kind }) => (kind === 'netconsole' ? null : host)),
  ];
}

function timelineOf(members: readonly Witness[], bootTime: number | null): TimelineEntry[] {
  const entries = new Map<
    string,
    { seconds: number | null; what: string; weight: TimelineEntry['weight']; sources: string[] }
  >();
  const add = (seconds: number | null, what: string, weight: TimelineEntry['weight'], source: string): void => {
    const key = `${seconds?.toFixed(3)} ${what}`;
    const entry = entries.get(key);
    if (entry === undefined) entries.set(key, { seconds, what, weight, sources: [source] });
    else {
      // an oops was no death yet to who stopped listening there
      if (weight === 'death') entry.weight = weight;
      if (!entry.sources.includes(source)) entry.sources.push(source);
    }
  };
  for (const witness of members) {
    const main = mainIncident(witness);
    const { source, incidents, from, to } = witness;
    if (from !== null) add(from, 'first line', 'note', source);
    for (const incident of incidents)
      add(incident.timestamp, incident.title, incident === main && incident.fatal ? 'death' : 'trouble', source);
    if (main?.panic != null) {
      const line = witness.lines.find(({ text }) => text.startsWith('Kernel panic'));
      add(line?.seconds ?? main.timestamp, `panic: ${main.panic}`, 'death', source);
    }
    if (to !== null) add(to, 'last line', 'note', source);
  }
  return [...entries.values()]
    .sort((a, b) => (a.seconds ?? Number.POSITIVE_INFINITY) - (b.seconds ?? Number.POSITIVE_INFINITY))
    .slice(0, 500)
    .map(({ seconds, what, weight, sources }) => ({
      seconds,
      time: bootTime === null || seconds === null ? null : iso(bootTime + seconds * 1000),
      what,
      weight,
      sources,
    }));
}

function iso(time: number | null): string | null {
  return time === null || !(Math.abs(time) < 8.64e15) ? null : new Date(time).toISOString();
}
