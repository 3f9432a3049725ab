/**
 * A timeline driven by a client: opens from the cache, then from the server,
 * follows events, and loads what its reader asks for.
 */

import { ParleyError } from '../error.ts';
import type {
  ClientApi,
  Conversation,
  ErrorInfo,
  Event,
  HistoryOptions,
  HistoryPage,
  MemberReceipt,
  OutboxItem,
  Range,
  User,
} from '../types.ts';
import { firstUnread } from './first-unread.ts';
import { type Schedule, Snapshot, Timer } from './observable.ts';
import { type Asked, TimelineModel } from './timeline-model.ts';
import type { Row, TimelineSnapshot, TimelineView } from './types.ts';

export interface TimelineOptions {
  /** When subscribers are told: a microtask unless given, for example an animation frame. */
  readonly schedule?: Schedule | undefined;
  /** The name of a moment's day, in order. The local calendar's unless given. */
  readonly dayOf?: ((timeMs: number) => string) | undefined;
  /** Entries asked for at once. */
  readonly page?: number | undefined;
  /** A message to open at instead of the first unread one or the end. */
  readonly around?: number | undefined;
  /** The clock, for messages that expire. */
  readonly now?: (() => number) | undefined;
}

/** Opens a conversation for reading. */
export function openTimeline(
  client: ClientApi,
  conversation: string,
  options: TimelineOptions = {},
): TimelineView {
  const timeline = new Timeline(client, conversation, options);
  timeline.start();
  return timeline;
}

const NOBODY: User = { id: '', name: '' };

class Timeline implements TimelineView {
  readonly conversation: string;
  readonly #client: ClientApi;
  readonly #limit: number;
  readonly #around: number | undefined;
  readonly #now: () => number;
  readonly #expiry = new Timer();
  readonly #newModel: () => TimelineModel;
  #model: TimelineModel;
  readonly #snapshot: Snapshot<TimelineSnapshot>;
  #off: () => void = () => {};
  #closed = false;
  #phase: TimelineSnapshot['phase'] = 'opening';
  #error: ErrorInfo | undefined;
  #older = false;
  #newer = false;
  /** The conversation's line, as last heard of. */
  #line: Conversation | undefined;
  /** The others' read cursors in a group, once asked for. */
  #reads: Map<string, number> | undefined;
  #said = 0;
  /** A first or newest page is being read. */
  #reading = false;

  constructor(client: ClientApi, conversation: string, options: TimelineOptions) {
    this.conversation = conversation;
    this.#client = client;
    this.#limit = options.page ?? 100;
    this.#around = options.around;
    this.#now = options.now ?? Date.now;
    this.#newModel = () => new TimelineModel({ conversation, dayOf: options.dayOf ?? localDay });
    this.#model = this.#newModel();
    this.#snapshot = new Snapshot(() => this.#make(), options.schedule);
  }

  get(): TimelineSnapshot {
    return this.#snapshot.get();
  }

  subscribe(run: (value: TimelineSnapshot) => void): () => void {
    return this.#snapshot.subscribe(run);
  }

  start(): void {
    this.#off = this.#client.on((event) => this.#handle(event));
    void this.#open();
  }

  close(): void {
    this.#closed = true;
    this.#off();
    this.#expiry.stop();
  }

  async loadOlder(): Promise<void> {
    const before = this.#model.first;
    if (this.#older || before === undefined || this.#model.atStart) return;
    this.#older = true;
    this.#snapshot.invalidate();
    try {
      await this.#load({ type: 'before', seq: before }, { before });
    } finally {
      this.#older = false;
      this.#snapshot.invalidate();
    }
  }

  async loadNewer(): Promise<void> {
    const after = this.#model.last;
    if (this.#newer || after === undefined || this.#model.atEnd) return;
    this.#newer = true;
    this.#snapshot.invalidate();
    try {
      await this.#load({ type: 'after', seq: after }, { after });
    } finally {
      this.#newer = false;
      this.#snapshot.invalidate();
    }
  }

  async fillGap(key: string, side: 'above' | 'below' = 'below'): Promise<void> {
    const row = this.get().rows.find((other) => other.key === key);
    if (row?.kind !== 'gap' || row.loading) return;
    const { after, before } = row;
    // At the end there is nothing below to begin from.
    const down = side === 'above' || before > this.#model.lastSeq;
    this.#setGap(after, before, 'loading');
    const range: Range = down ? { type: 'after', seq: after } : { type: 'before', seq: before };
    const page = await this.#load(range, down ? { after } : { before });
    this.#setGap(after, before, page ? undefined : 'failed');
  }

  async jumpTo(seq: number): Promise<string | undefined> {
    if (this.#model.keyOf(seq) === undefined) await this.#load({ type: 'around', seq });
    return this.#rowOf(this.#model.keyOf(seq))?.key;
  }

  async jumpToTime(timeMs: number): Promise<string | undefined> {
    const page = await this.#load({ type: 'aroundTime', timeMs });
    const entries = page?.entries ?? [];
    // What a clock that was ahead stamped is as old as what came behind it.
    const since = entries.slice(entries.findLastIndex((entry) => entry.timeMs < timeMs) + 1);
    for (const entry of since) {
      const row = this.#rowOf(this.#model.keyOf(entry.seq));
      if (row) return row.key;
    }
    return this.get().rows.at(-1)?.key;
  }

  async toEnd(): Promise<string | undefined> {
    if (!this.#model.atEnd) await this.#load({ type: 'latest' });
    return this.get().rows.at(-1)?.key;
  }

  sawEnd(): void {
    if (this.#model.newBelow === 0) return;
    this.#model.sawEnd();
    this.#snapshot.invalidate();
  }

  markRead(seq: number): void {
    if (seq <= Math.max(this.#said, this.#line?.read ?? 0)) return;
    this.#said = seq;
    // Cumulative, and said again by the client itself; a refusal is not the reader's business.
    this.#client.markRead(this.conversation, seq).catch(() => {
      this.#said = 0;
    });
  }

  resetUnreadLine(): void {
    this.#model.setLine(undefined);
    this.#snapshot.invalidate();
  }

  async retry(localId: number): Promise<void> {
    await this.#client.retry(localId);
  }

  async retryAll(): Promise<void> {
    const failed = this.get().rows.filter(
      (row) => row.kind === 'message' && row.progress === 'failed',
    );
    for (const row of failed) {
      if (row.kind === 'message' && row.localId !== undefined)
        await this.#client.retry(row.localId);
    }
  }

  async discard(localId: number): Promise<boolean> {
    const row = this.get().rows.find((it) => it.kind === 'message' && it.localId === localId);
    if (row?.kind !== 'message' || row.progress !== 'failed') return this.#client.abort(localId);
    await this.#client.discard(localId);
    return true;
  }

  receipts(seq: number): Promise<readonly MemberReceipt[]> {
    return this.#client.receipts(this.conversation, seq);
  }

  /** From the cache at once, from the server when it answers. */
  async #open(): Promise<void> {
    const [lines, outbox] = await Promise.all([
      this.#client.conversations({ cached: true }).catch((): Conversation[] => []),
      this.#client.outbox().catch((): OutboxItem[] => []),
    ]);
    if (this.#closed) return;
    const line = lines.find((other) => other.id === this.conversation);
    if (line) this.#handleLine(line);
    for (const item of outbox) this.#handleOutbox(item);
    if (line && line.unread > 0) this.#model.setLine(line.read, line.unread, line.floor);
    const range = await this.#firstRange('only');
    const cached = await this.#load(range, {}, { cache: 'only' });
    if (cached && cached.entries.length > 0 && this.#phase === 'opening') this.#phase = 'cached';
    this.#snapshot.invalidate();
    void this.#learnHidden();
    await this.#read(() => this.#firstRange('never'));
  }

  /** What of the log to see first: around the first unread message, or the end. */
  async #firstRange(cache: HistoryOptions['cache']): Promise<Range> {
    if (this.#around) return { type: 'around', seq: this.#around };
    const line = this.#line;
    const far = line && line.unread > 0 && line.lastSeq - line.read > this.#limit / 2;
    if (!far) return { type: 'latest' };
    try {
      const seq = await firstUnread(line, (range, limit) =>
        this.#client.history(this.conversation, range, { limit, cache }),
      );
      return line.lastSeq - seq < this.#limit / 2 ? { type: 'latest' } : { type: 'around', seq };
    } catch {
      return { type: 'around', seq: line.read + 1 };
    }
  }

  /** Reads from the server what is shown first, or after a reconnect what was missed. */
  async #read(range: () => Promise<Range>): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const page = await this.#load(await range(), {}, { cache: 'never' });
    this.#reading = false;
    if (this.#closed) return;
    if (page) {
      if (this.#phase !== 'live') this.#model.sawEnd();
      this.#phase = 'live';
    } else if (this.#model.last === undefined && !retries(this.#error)) {
      this.#phase = 'failed';
    }
    this.#snapshot.invalidate();
    if (page && this.#line?.kind === 'group') await this.#learnReads();
  }

  async #load(
    range: Range,
    asked: Asked = {},
    options: HistoryOptions = {},
  ): Promise<HistoryPage | undefined> {
    const model = this.#model;
    try {
      const page = await this.#client.history(this.conversation, range, {
        limit: this.#limit,
        ...options,
      });
      if (this.#closed || model !== this.#model) return undefined;
      this.#model.handlePage(page, asked);
      this.#error = undefined;
      return page;
    } catch (thrown) {
      this.#error = ParleyError.from(thrown).info;
      return undefined;
    } finally {
      this.#snapshot.invalidate();
    }
  }

  async #learnHidden(): Promise<void> {
    try {
      this.#model.handleHidden(await this.#client.hidden(this.conversation));
      this.#snapshot.invalidate();
    } catch {
      // They are shown as deleted until the next opening.
    }
  }

  /** Who has read how far: of groups, where `peerRead` says it of the furthest only. */
  async #learnReads(): Promise<void> {
    try {
      const { members } = await this.#client.describe(this.conversation);
      const me = this.#client.me?.id;
      const others = members.filter((member) => member.user.id !== me);
      this.#reads = new Map(others.map((member) => [member.user.id, member.read]));
      this.#setCursors();
    } catch {
      // Ticks are shown without a count.
    }
  }

  #handle(event: Event): void {
    const { conversation } = this;
    switch (event.type) {
      case 'entry':
        if (event.entry.conversation !== conversation) return;
        this.#model.handleEntry(event.entry);
        break;
      case 'conversation':
        if (event.conversation.id !== conversation) return;
        this.#handleLine(event.conversation);
        break;
      case 'reset':
        if ((event.conversation ?? conversation) !== conversation) return;
        this.#reset();
        break;
      case 'hidden':
        if (event.conversation !== conversation) return;
        this.#model.handleHidden(event.seqs);
        break;
      case 'cleared':
        if (event.conversation !== conversation) return;
        this.#model.handleCleared(event.upTo);
        break;
      case 'receipt': {
        const { receipt } = event;
        if (receipt.conversation !== conversation || !this.#reads?.has(receipt.user)) return;
        const before = this.#reads.get(receipt.user) ?? 0;
        this.#reads.set(receipt.user, Math.max(before, receipt.read));
        this.#setCursors();
        break;
      }
      case 'outbox':
        if (!this.#handleOutbox(event.item)) return;
        break;
      case 'outboxDone':
        this.#handleDone(event);
        break;
      case 'state':
        if (event.state.type !== 'ready') return;
        void this.#read(async () =>
          this.#phase === 'live' ? { type: 'latest' } : this.#firstRange('never'),
        );
        break;
      default:
        return;
    }
    this.#snapshot.invalidate();
  }

  /** The server has another store: what came from it is read anew. */
  #reset(): void {
    this.#model = this.#newModel();
    this.#phase = 'opening';
    this.#line = undefined;
    this.#reads = undefined;
    this.#said = 0;
    this.#reading = false;
    void this.#open();
  }

  #handleLine(line: Conversation): void {
    this.#line = line;
    this.#model.handleLast(line.lastSeq);
    this.#model.handleCleared(line.preferences.clearedUpTo);
    this.#setCursors();
  }

  #handleOutbox(item: OutboxItem): boolean {
    const { to } = item;
    const here =
      item.conversation === this.conversation ||
      (to.type === 'conversation' && to.conversation === this.conversation) ||
      (to.type === 'user' && to.user === this.#line?.peer?.id);
    if (here) this.#model.handleOutbox(item, this.#client.me ?? NOBODY);
    return here;
  }

  #handleDone({ localId, clientMessageId, sent }: Extract<Event, { type: 'outboxDone' }>): void {
    const ours = sent?.conversation === this.conversation ? sent : undefined;
    this.#model.handleOutboxDone(localId, clientMessageId, ours);
  }

  #setCursors(): void {
    const { kind, peerRead: furthest = 0, peerDelivered = 0 } = this.#line ?? {};
    const reads = [...(this.#reads?.values() ?? [])].sort((a, b) => a - b);
    // A group has read what all others have.
    const peerRead = kind === 'group' ? (reads[0] ?? 0) : furthest;
    this.#model.setCursors({
      peerRead,
      peerDelivered: Math.max(peerDelivered, furthest),
      reads,
    });
    this.#snapshot.invalidate();
  }

  #setGap(after: number, before: number, state: 'loading' | 'failed' | undefined): void {
    this.#model.setGap(after, before, state);
    this.#snapshot.invalidate();
  }

  #rowOf(key: string | undefined): Row | undefined {
    return key === undefined ? undefined : this.get().rows.find((row) => row.key === key);
  }

  #make(): TimelineSnapshot {
    const nowMs = this.#now();
    const rows = this.#model.rows(nowMs);
    if (!this.#closed) {
      this.#expiry.start(this.#model.expiresMs(nowMs) - nowMs, () => this.#snapshot.invalidate());
    }
    return {
      rows,
      phase: this.#phase,
      error: this.#error,
      atStart: this.#model.atStart,
      atEnd: this.#model.atEnd,
      loadingOlder: this.#older,
      loadingNewer: this.#newer,
      openAt: rows.some((row) => row.kind === 'unread') ? 'unread' : undefined,
      newBelow: this.#model.newBelow,
      lastSeq: this.#model.lastSeq,
    };
  }
}

/** Whether it is worth waiting: the connection comes back by itself. */
const retries = (error: ErrorInfo | undefined): boolean =>
  error !== undefined && new ParleyError(error).isRetryable;

function localDay(timeMs: number): string {
  const day = new Date(timeMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  // Four digits for every year there will be a chat in.
  const year = String(day.getFullYear()).padStart(4, '0');
  return `${year}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
