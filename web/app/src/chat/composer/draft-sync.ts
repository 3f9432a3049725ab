/**
 * The draft of one composer in its three places: the field, this browser's storage,
 * and the server, which tells the user's other devices. Decides which draft stays
 * when two places differ; the two rules are functions of their own.
 *
 * Driven by the composer: `open` once, `heard` for each draft the server has,
 * `changed` after each change of what is written, `touch` before it when the user
 * wrote it, `close` at the end.
 */
import type { Draft, Drafts } from '../state/drafts';
import type { EditMode, Unsent, Written } from './edit-mode.svelte';

/** Without a change for so long, the draft goes to the server. */
export const DRAFT_MS = 1_500;
/** What the server keeps of a draft, in Unicode scalar values. */
export const DRAFT_CHARS = 4_096;
/** So many drafts that were told are known as one's own when the server tells them back. */
const ECHOES = 20;

/**
 * Whether a composer opens with what this browser stored instead of the server's
 * draft: when the server was not told of it yet, or it is an edit, which only this
 * browser knows.
 */
export function opensWithStored(stored: Draft | undefined): stored is Draft {
  return stored !== undefined && (stored.text !== stored.told || stored.editing !== undefined);
}

/** What {@link remoteDraftWins} looks at. */
export interface Here {
  readonly written: Written;
  /** What the server was told last, or told us. */
  readonly synced: Unsent;
  /** The newest texts the server was told from here. */
  readonly told: readonly string[];
  /** The user changed something since the composer opened. */
  readonly touched: boolean;
  readonly focused: boolean;
}

/**
 * Whether a draft from another device replaces what is in the field. It does unless
 * - it is an echo: the server tells back what it was told from here, some of it late;
 * - something in the field is not on the server yet, or an edit is being written;
 * - the user has written here and the caret is in the field. Before the first key the
 *   caret does not matter: what the cache had of the draft may be older than this.
 */
export function remoteDraftWins(remote: string, here: Here): boolean {
  const { written, synced } = here;
  const echo = here.told.includes(remote);
  const unsynced = written.text !== synced.text || written.replyTo !== synced.replyTo;
  const busy = written.editing !== undefined || (here.touched && here.focused);
  return !echo && !unsynced && !busy;
}

export interface DraftOptions {
  /** Names the draft in this browser's storage. */
  readonly id: string;
  readonly stored: Pick<Drafts, 'get' | 'set'>;
  /** Tells the server; absent when there is no conversation yet that could have a draft. */
  readonly tell: ((text: string, replyTo: number | undefined) => void) | undefined;
}

export class DraftSync {
  readonly #mode: EditMode;
  readonly #options: DraftOptions;
  /** The server's draft as it was told last. */
  #remote = '';
  #synced: Unsent = { text: '', replyTo: undefined };
  #told: readonly string[] = [''];
  #touched = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(mode: EditMode, options: DraftOptions) {
    this.#mode = mode;
    this.#options = options;
  }

  /** Puts the draft into the field that this composer begins with. */
  open(remote: Unsent): void {
    this.#remote = remote.text;
    this.#synced = remote;
    this.#told = [remote.text];
    const stored = this.#options.stored.get(this.#options.id);
    if (opensWithStored(stored)) {
      // What was set aside and is on the server may be newer there.
      const { aside, told, replyTo } = stored;
      const kept = aside && aside.text !== told ? { ...aside, replyTo: aside.replyTo } : remote;
      this.#mode.restore({ ...stored, replyTo, aside: kept });
      // The server waited long enough: what is taken away before the first change is
      // then taken away there too.
      this.store();
      this.tell();
    } else {
      this.#mode.restore(remote);
    }
  }

  /** Takes the server's draft if it wins. Returns whether the field has another text now. */
  heard(remote: Unsent, focused: boolean): boolean {
    this.#remote = remote.text;
    this.#confirm(remote.text);
    const wins = remoteDraftWins(remote.text, {
      written: this.#mode.written,
      synced: this.#synced,
      told: this.#told,
      touched: this.#touched,
      focused,
    });
    if (!this.#told.includes(remote.text)) this.#told = [remote.text];
    if (!wins) return false;
    this.#synced = remote;
    this.#mode.restore(remote);
    return true;
  }

  /** The server has what is stored here: until then, a reload must not take the server's older draft. */
  #confirm(remote: string): void {
    const { id, stored } = this.#options;
    const local = stored.get(id);
    if (local?.text === remote) stored.set(id, { ...local, told: remote });
  }

  /** The user wrote something. */
  touch(): void {
    this.#touched = true;
  }

  /** Stores what is written now, and tells the server once nothing changes for a while. */
  changed(): void {
    this.store();
    this.#timer = setTimeout(() => this.tell(), DRAFT_MS);
  }

  /** Stores what is written, and leaves it to {@link tell} when the server hears of it. */
  store(): void {
    clearTimeout(this.#timer);
    this.#save();
  }

  /** Tells the server now, unless it knows. */
  tell(): void {
    const { tell } = this.#options;
    if (!tell) return;
    const { text, replyTo } = this.#mode.unsent;
    const draft = text.length > DRAFT_CHARS ? [...text].slice(0, DRAFT_CHARS).join('') : text;
    if (draft === this.#synced.text && replyTo === this.#synced.replyTo) return;
    this.#synced = { text: draft, replyTo };
    this.#told = [...this.#told.slice(1 - ECHOES), draft];
    tell(draft, replyTo);
    this.#save();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.tell();
  }

  #save(): void {
    this.#options.stored.set(this.#options.id, { ...this.#mode.written, told: this.#remote });
  }
}
