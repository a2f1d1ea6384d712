// The incidents of one machine: its messages come one by one, whatever brought them. Headlines open drafts or belong to
// open ones (merge.ts), other lines go to the draft they fit, drafts become incidents when their report is over.
import { likeliest } from './affinity.ts';
import { Boots, type SilentDeath } from './boots.ts';
import { Draft } from './draft.ts';
import { functionName, parseFrame } from './frames.ts';
import { headlineOfReporter, headlineOfRest } from './headless.ts';
import type { Headline } from './headlines/headline.ts';
import { parseHeadline } from './headlines/headlines.ts';
import { isConsequence } from './headlines/panic_line.ts';
import type { Incident } from './incident.ts';
import { words } from './keywords.ts';
import type { IncidentKind } from './kinds.ts';
import type { LogLine } from './log_line.ts';
import { causes, continues, idleLines, isWarning, type Lead, soon, withLeads } from './merge.ts';
import { nearLines } from './shapes.ts';

/** Seconds after which a panic no longer belongs to what was reported before. */
const idleSeconds = 90;
const maxStreams = 128;
const maxDrafts = 32;

/** The messages of one printk caller; those without caller id are one stream. */
interface Stream {
  current: Draft | undefined;
  /** Drafts of this stream that a newer one replaced but that may still get lines. */
  older: Draft[];
  /** What was said before a headline: list corruption, refcount, the message after `cut here`. */
  leads: Lead[];
  cut: boolean;
}

/** Lines of it by which it is known what was printed without a headline. */
const maxUnnamed = 40;

/** What was printed without a headline. */
interface Orphan {
  readonly draft: Draft;
  /** Its first lines. */
  readonly lines: readonly LogLine[];
  /** Line at which it is given up. */
  readonly until: number;
}

/** A draft that nothing has proven is over when no line has touched it for so many. */
const unprovenLines = 24;
/** What a mail or an issue has before the lines that it quotes. */
const quotation = /^(?:[ \t]{0,4}[>|]){0,8}[ \t]{0,8}/;

/** A message that names what the announcement after it is about. */
function isNamed(lead: Lead): lead is Lead & { headline: Headline } {
  return lead.headline !== undefined && lead.headline.title !== '';
}

export class MachineLog {
  private readonly streams = new Map<string, Stream>();
  private drafts: Draft[] = [];
  /** Up to this line no draft is over. */
  private quietUntil = 0;
  private lastExpired = 0;
  private pendingLeads = 0;
  private lastStamp: number | undefined;
  private readonly boots = new Boots();
  private orphan: Orphan | undefined;
  private done: Incident[] = [];
  /** What stands before each line of the report that is quoted now; empty: nothing is quoted. */
  private quote = '';
  /** Whether a line that comes now may belong to a report that is just being printed. */
  needsEveryLine(number: number): boolean {
    if (this.pendingLeads > 0) return true;
    const { orphan } = this;
    if (orphan !== undefined && number - orphan.draft.lastNumber <= nearLines) return true;
    for (let i = this.drafts.length - 1; i >= 0; i--) {
      const draft = this.drafts[i]!;
      if (!draft.ended && number - draft.lastNumber <= nearLines) return true;
    }
    return false;
  }

  /** Whether a report is open. */
  get active(): boolean {
    return this.drafts.length > 0 || this.orphan !== undefined || this.pendingLeads > 0 || this.boots.waits;
  }

  /** The incidents that are complete by now; each is given once. */
  take(): Incident[] {
    const done = this.done;
    this.done = [];
    return done;
  }

  private stream(line: LogLine): Stream {
    const key = line.caller ?? '';
    let stream = this.streams.get(key);
    if (stream === undefined) {
      if (this.streams.size >= maxStreams) {
        for (const [name, old] of this.streams) {
          if (old.current === undefined && old.leads.length === 0) this.streams.delete(name);
          if (this.streams.size < maxStreams) break;
        }
        if (this.streams.size >= maxStreams) {
          const first = this.streams.keys().next().value!;
          this.streams.delete(first);
        }
      }
      stream = { current: undefined, older: [], leads: [], cut: false };
      this.streams.set(key, stream);
    }
    return stream;
  }

  /**
   * Reads the next message.
   * @param before the text that stood before it, if it is a kernel's first message
   */
  line(line: LogLine, before: string): void {
    if (line.frame != null && this.frame(line)) return;
    const suspicious = line.announces ?? words.occursIn(line.text);
    if (!line.kernel && (suspicious || this.quote !== '')) this.unquote(line, suspicious);
    const { text } = line;
    const boot =
      suspicious && text.includes('Linux version') ? /^(?:\S{0,4} ?)?Linux version (\d\S{0,100})/.exec(text) : null;
    if (boot !== null) {
      this.closeAll(-1, true);
      this.reportUnsaid(this.boots.unsaid());
      this.boots.begin(line, boot[1]!, before);
      this.lastStamp = line.timestamp;
      return;
    }
    if (text.charCodeAt(0) === 0x2d && /^-- (?:Boot|Reboot)\b/.test(text)) {
      this.closeAll(-1, true); // journalctl's mark between boots
      this.lastStamp = undefined;
      return;
    }
    if (suspicious && this.boots.isCaptureKernels(text)) this.reportUnsaid(this.boots.captureKernel(line));
    if (line.timestamp !== undefined) {
      // a clock that starts again is another boot; a wall clock or another log may also be meant
      const back = this.lastStamp !== undefined && line.timestamp < this.lastStamp - 10;
      if (back && !this.answersNmi(line)) this.closeAll(-1, false);
      this.lastStamp = line.timestamp;
    }
    const stream = this.stream(line);
    let headline = suspicious ? parseHeadline(text) : undefined;
    // what is quoted is believed when more of a report follows
    if (headline !== undefined && this.quote !== '' && headline.role !== 'lead')
      headline = { ...headline, strong: false };
    if (headline === undefined) this.body(line, stream);
    else if (headline.role === 'lead') this.lead(line, headline, stream);
    else this.headline(line, headline, stream);
  }

  /** Takes a line that is a frame and announces nothing, as most lines of reports, if it can only be the current report's. */
  private frame(line: LogLine): boolean {
    const { timestamp, caller } = line;
    if (line.announces !== false || !line.kernel || timestamp === undefined) return false;
    if (this.lastStamp !== undefined && timestamp < this.lastStamp) return false;
    const stream = this.streams.get(caller ?? '');
    if (stream === undefined || stream.leads.length > 0 || stream.current?.open !== true) return false;
    if (stream.older.length > 0 && this.likeliestOf(line, stream, stream.current) !== stream.current) return false;
    if (!stream.current.addFrame(line)) return false;
    this.lastStamp = timestamp;
    return true;
  }

  /** Whether a CPU that hangs may be printing: its clock may have stopped with it. */
  private answersNmi(line: LogLine): boolean {
    return this.drafts.some((draft) => draft.sentNmi && line.number - draft.lastNumber <= 2);
  }

  /** Takes off what stands before each line of a report in a mail or an issue: blanks, or marks of quotation. */
  private unquote(line: LogLine, suspicious: boolean): void {
    const { text } = line;
    const mark = suspicious ? quotation.exec(text)![0] : '';
    if (suspicious && parseHeadline(text.slice(mark.length)) !== undefined) this.quote = mark;
    if (text.startsWith(this.quote)) line.text = text.slice(this.quote.length);
    else if (text === this.quote.trimEnd()) line.text = '';
  }

  private reportUnsaid(death: SilentDeath | null): void {
    if (death === null) return;
    const { title, first, last, release } = death;
    const headline: Headline = { kind: 'unknown', role: 'start', title, strong: true, traceless: true, fatal: true };
    const draft = new Draft(headline, { ...first, timestamp: undefined }, []);
    draft.incident.kernelRelease = release ?? null;
    draft.extendTo({ ...last, timestamp: undefined });
    this.addDraft(draft);
    this.close(draft, false, false);
  }

  // ---- headlines

  private lead(line: LogLine, headline: Headline, stream: Stream): void {
    const { current } = stream;
    if (current?.panicked === true && !current.ended) {
      current.extendTo(line);
      return;
    }
    if (headline.title === '' && headline.kind === 'BUG') {
      stream.cut = true;
      stream.leads = stream.leads.filter(
        (lead) => lead.headline !== undefined && lead.headline.title !== '' && line.number - lead.line.number <= 6,
      );
    }
    if (stream.leads.length < 12) stream.leads.push({ line, headline });
    this.countLeads();
  }

  private countLeads(): void {
    this.pendingLeads = 0;
    for (const stream of this.streams.values()) this.pendingLeads += stream.leads.length;
  }

  private headline(line: LogLine, found: Headline, stream: Stream): void {
    const headline = withLeads(found, stream.leads);
    if (this.orphan !== undefined) this.adopt(headline, stream);
    if (this.absorb(line, headline, stream)) {
      stream.leads = [];
      stream.cut = false;
      this.countLeads();
      return;
    }
    const details = stream.leads
      .filter((lead) => lead.headline === undefined || lead.headline.title !== '' || lead.headline.kind !== 'BUG')
      .map((lead) => lead.line.text.trim());
    const draft = new Draft(headline, line, details);
    for (const lead of stream.leads) draft.extendTo(lead.line);
    stream.leads = [];
    stream.cut = false;
    this.countLeads();
    const previous = stream.current;
    if (
      previous?.open === true &&
      previous.incomplete &&
      previous.confirmed &&
      line.number - previous.lastNumber <= 8
    ) {
      previous.mixed ??= 'another report is mixed in';
      draft.mixed ??= 'another report is mixed in';
    }
    this.makeCurrent(stream, draft);
    this.addDraft(draft);
    if (this.drafts.length > maxDrafts) this.close(this.drafts[0]!, false, false);
  }

  /** The draft that the stream's next lines go to; the one before it may still get some. */
  private makeCurrent(stream: Stream, draft: Draft): void {
    const previous = stream.current;
    if (previous === draft) return;
    stream.older = stream.older.filter((older) => older !== draft && older.open);
    if (previous?.open === true) stream.older = [...stream.older, previous].slice(-4);
    stream.current = draft;
  }

  /** Whether the headline belongs to an incident that is already open. */
  private absorb(line: LogLine, headline: Headline, stream: Stream): boolean {
    const own = stream.current?.open === true ? stream.current : undefined;
    if (headline.role === 'panic') return this.absorbPanic(line, headline, stream, own);
    // the older of two interleaved reports may be the one that waits for its die line
    for (const draft of [...stream.older, ...(own === undefined ? [] : [own])]) {
      if (!draft.open || draft.panicked) continue;
      const as = continues(draft, headline, line);
      if (as === undefined) continue;
      draft.addHeadline(headline, line, as);
      this.makeCurrent(stream, draft);
      return true;
    }
    const dying = own?.panicked === true ? own : this.drafts.findLast((draft) => draft.panicked && isWarning(headline));
    if (dying !== undefined && soon(dying, line, 30) && (!dying.ended || isWarning(headline))) {
      dying.addHeadline(headline, line, 'aftermath');
      this.makeCurrent(stream, dying);
      return true;
    }
    // stalls that several CPUs report
    if (headline.kind === 'rcu-stall') {
      const open = this.drafts.findLast((draft) => draft.kind === 'rcu-stall' && !draft.panicked);
      if (open !== undefined && soon(open, line, 120)) {
        open.addHeadline(headline, line, 'repeat');
        this.makeCurrent(stream, open);
        return true;
      }
    }
    return false;
  }

  private absorbPanic(line: LogLine, headline: Headline, stream: Stream, own: Draft | undefined): boolean {
    const take = (draft: Draft): boolean => {
      draft.addHeadline(headline, line, draft.panicked ? 'aftermath' : 'panic');
      this.makeCurrent(stream, draft);
      return true;
    };
    if (own?.panicked === true && !own.ended) return take(own);
    const open = this.drafts.filter((draft) => !draft.panicked && soon(draft, line, idleSeconds));
    const ordered =
      own !== undefined && open.includes(own)
        ? [own, ...open.filter((draft) => draft !== own).reverse()]
        : open.reverse();
    const same = headline.kind === 'panic' ? undefined : ordered.find((draft) => draft.kind === headline.kind);
    const match = same ?? ordered.find((draft) => causes(draft, headline));
    if (match !== undefined) return take(match);
    const reason = headline.reason ?? '';
    if (isConsequence(reason)) {
      const first = ordered.find((draft) => draft.confirmed) ?? ordered[0];
      if (first !== undefined) return take(first);
    }
    // the report of a fault that is still being printed
    if (
      own !== undefined &&
      ordered.includes(own) &&
      own.kind !== 'WARN' &&
      own.incident.dieCount !== null &&
      line.number - own.lastNumber <= 4 &&
      soon(own, line, 2)
    ) {
      return take(own);
    }
    if (own !== undefined && ordered.includes(own) && own.kind === 'machine-check') return take(own);
    return false;
  }

  // ---- other lines

  private body(line: LogLine, stream: Stream): void {
    const { text } = line;
    if (text === '') {
      const open = stream.current?.open === true ? stream.current : undefined;
      if (line.dropped && open?.ended === false && line.number - open.lastNumber <= nearLines)
        open.mixed ??= 'messages were dropped';
      return;
    }
    if (stream.cut && stream.leads.length > 0) {
      const first = stream.leads[0]!;
      if (
        line.number - first.line.number <= 10 &&
        stream.leads.length < 12 &&
        !/^(?:\s|\[<|Modules linked|Call [Tt]race|RIP: |pc : |CPU: |Code: |Hardware name|#PF: |PGD |R[A-Z0-9]{2}: |---\[)/.test(
          text,
        )
      ) {
        stream.leads.push({ line });
        this.countLeads();
        return;
      }
    }
    const c = text.charCodeAt(0);
    const nmi = (c === 0x4e || c === 0x43) && /^(?:NMI backtrace for cpu \d|CPU\d{1,5}: )/.test(text);
    if (nmi && this.attachCpu(line, stream)) return;
    const { current } = stream;
    if (current?.open === true) {
      if (stream.older.length > 0) {
        const best = this.likeliestOf(line, stream, current);
        if (best !== current) {
          best.add(line);
          return;
        }
      }
      if (current.add(line)) return;
    }
    if (stream.current?.open !== true) this.orphanLine(line, stream);
  }

  /** The current report, unless older ones that the stream's lines may still belong to have a better claim. */
  private likeliestOf(line: LogLine, stream: Stream, current: Draft): Draft {
    let closed = false;
    let waiting = false;
    for (const draft of stream.older) {
      if (draft === current || !draft.open) closed = true;
      else if (!draft.ended) waiting = true;
    }
    if (closed) stream.older = stream.older.filter((draft) => draft.open && draft !== current);
    return waiting ? likeliest(line, current, stream.older) : current;
  }

  /** A CPU's own trace, printed because a watchdog elsewhere asked for it. */
  private attachCpu(line: LogLine, stream: Stream): boolean {
    const own = stream.current?.open === true ? stream.current : undefined;
    if (own !== undefined) return own.add(line);
    const kinds: readonly IncidentKind[] = [
      'rcu-stall',
      'soft-lockup',
      'hard-lockup',
      'hung-task',
      'nmi',
      'workqueue-lockup',
      'panic',
    ];
    const asker =
      this.drafts.findLast((draft) => draft.sentNmi) ?? this.drafts.findLast((draft) => kinds.includes(draft.kind));
    if (asker === undefined) return false;
    stream.current = asker;
    return asker.add(line);
  }

  /** What was printed without a headline: the panic that an oops leads to says what it was, another headline that it is over. */
  private adopt(headline: Headline, stream: Stream): void {
    const { draft } = this.orphan!;
    this.orphan = undefined;
    if (headline.role !== 'panic' || !isConsequence(headline.reason ?? '') || !draft.hasTrace) return;
    this.believe(draft, stream);
  }

  private believe(draft: Draft, stream: Stream): void {
    draft.confirm();
    this.addDraft(draft);
    stream.current = draft;
    this.orphan = undefined;
  }

  /** Registers and traces whose headline is missing: an incident only if a later line says that it was one. */
  private orphanLine(line: LogLine, stream: Stream): void {
    const { text } = line;
    if (this.orphan === undefined) {
      const headline = this.drafts.length > 0 ? null : headlineOfRest(text);
      if (headline === null) return;
      const said = headline.kind === 'unknown' ? stream.leads.findLast(isNamed) : undefined;
      const draft =
        said === undefined
          ? new Draft(headline, line, [])
          : new Draft({ ...said.headline, role: 'start', strong: false }, said.line, []);
      draft.add(line);
      this.orphan = { draft, lines: [line], until: line.number + 120 };
      return;
    }
    this.orphan = this.named(this.orphan, line);
    const { draft } = this.orphan;
    draft.add(line);
    const proven =
      draft.kind === 'unknown'
        ? /^---\[ end trace/.test(text) && (draft.incident.instruction !== null || draft.incident.code !== null)
        : draft.kind !== 'slab-corruption'
          ? draft.hasTrace
          : /^(?:INFO: )?(?:Slab 0x|Object 0x|Object [0-9a-f]{8,16}: )/.test(text);
    if (proven) this.believe(draft, stream);
  }

  /** The same, or what it is by the frame that comes now: who had the trace printed says what for. */
  private named(orphan: Orphan, line: LogLine): Orphan {
    const { draft, lines, until } = orphan;
    if (draft.kind !== 'unknown' || lines.length >= maxUnnamed) return orphan;
    const frame = parseFrame(line.text, true);
    const headline = frame?.symbol == null ? null : headlineOfReporter(functionName(frame.symbol));
    if (headline === null || !draft.onlyReports) return { draft, lines: [...lines, line], until };
    const named = new Draft(headline, lines[0]!, []);
    for (const one of lines) named.add(one);
    return { draft: named, lines, until };
  }

  // ---- endings

  /** Time passes: `number` is the line that has come by now, here or elsewhere in the text. */
  expire(number: number): void {
    if (this.pendingLeads > 0) this.expireLeads(number);
    this.reportUnsaid(this.boots.unsaidBy(number));
    if (this.orphan !== undefined && number > this.orphan.until) this.orphan = undefined;
    // pstore's parts are put in order: what was printed later may stand earlier
    if (number < this.quietUntil && number >= this.lastExpired) {
      this.lastExpired = number;
      return;
    }
    this.lastExpired = number;
    this.quietUntil = Number.POSITIVE_INFINITY;
    for (const draft of this.drafts) {
      const lines = draft.confirmed ? idleLines : unprovenLines;
      if (number - draft.lastNumber > lines) this.close(draft, false, false);
      else this.quietUntil = Math.min(this.quietUntil, Math.min(number, draft.lastNumber) + lines);
    }
  }

  private expireLeads(number: number): void {
    for (const stream of this.streams.values()) {
      const last = stream.leads.at(-1);
      if (last !== undefined && number - last.line.number > 12) {
        stream.leads = [];
        stream.cut = false;
        this.countLeads();
      }
    }
  }

  /** The text is over at line `number`. */
  end(number: number): void {
    this.closeAll(number, false);
    this.reportUnsaid(this.boots.unsaid());
  }

  /** @param cutAt the line at which the text ends; -1: it goes on */
  private closeAll(cutAt: number, rebooted: boolean): void {
    const cut = cutAt >= 0;
    const orphan = this.orphan?.draft;
    // a fault whose kernel was still printing when the next one booted was its last
    const last = this.drafts.reduce((latest, draft) => Math.max(latest, draft.lastNumber), 0);
    for (const draft of [...this.drafts]) {
      this.close(draft, cut && draft.lastNumber === cutAt, rebooted && draft.lastNumber === last);
    }
    this.orphan = undefined;
    if (
      orphan !== undefined &&
      cut &&
      orphan.incident.instruction !== null &&
      orphan.hasTrace &&
      orphan.incident.code !== null
    ) {
      orphan.confirm();
      this.addDraft(orphan);
      this.close(orphan, cut, rebooted);
    }
    this.streams.clear();
    this.pendingLeads = 0;
  }

  private addDraft(draft: Draft): void {
    draft.open = true;
    this.drafts.push(draft);
    this.quietUntil = 0;
  }

  private close(draft: Draft, cut: boolean, rebooted: boolean): void {
    this.drafts = this.drafts.filter((other) => other !== draft);
    draft.open = false;
    if (!draft.confirmed) return;
    draft.incident.kernelRelease ??= this.boots.release ?? null;
    const incident = draft.finish(cut, rebooted);

    if (incident.severity !== 'warning') this.boots.diesAloud = true;
    this.done.push(incident);
  }
}
