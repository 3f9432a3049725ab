/**
 * What is being written: a new message, an answer to one, or another text for one
 * that was sent. While an edit is written, the new message that was begun before is
 * set aside, and comes back when the edit ends. Knows no element, storage or server.
 */
import type { Message } from '@parley/client';

/** A new message that was not sent yet. */
export interface Unsent {
  readonly text: string;
  readonly replyTo: number | undefined;
}

/** What is in the field, and what it is for. */
export interface Written extends Unsent {
  /** The message that gets this text. */
  readonly editing: number | undefined;
  /** What an edit set aside. */
  readonly aside?: Unsent | undefined;
}

type Mode =
  | { readonly type: 'new'; readonly replyTo: number | undefined }
  | { readonly type: 'edit'; readonly seq: number; readonly aside: Unsent };

const NOTHING: Unsent = { text: '', replyTo: undefined };

export class EditMode {
  /** As it stands in the field. */
  text = $state('');
  #mode = $state.raw<Mode>({ type: 'new', replyTo: undefined });

  /** The message that is answered. */
  get replyTo(): number | undefined {
    return this.#mode.type === 'new' ? this.#mode.replyTo : undefined;
  }

  /** The message that is edited. */
  get editing(): number | undefined {
    return this.#mode.type === 'edit' ? this.#mode.seq : undefined;
  }

  /** The new message, also while it is set aside. */
  get unsent(): Unsent {
    if (this.#mode.type === 'edit') return this.#mode.aside;
    return { text: this.text, replyTo: this.#mode.replyTo };
  }

  /** What is in the field now, for {@link restore}. */
  get written(): Written {
    const aside = this.#mode.type === 'edit' ? this.#mode.aside : undefined;
    return { text: this.text, replyTo: this.replyTo, editing: this.editing, aside };
  }

  /** Puts this into the field; an edit with what it set aside. */
  restore({ text, replyTo, editing, aside = NOTHING }: Unsent & Partial<Written>): void {
    this.text = text;
    this.#mode =
      editing === undefined ? { type: 'new', replyTo } : { type: 'edit', seq: editing, aside };
  }

  /** Makes the new message an answer; ends an edit. */
  reply(seq: number): void {
    if (this.#mode.type === 'edit') this.#endEdit();
    this.#mode = { type: 'new', replyTo: seq };
  }

  /** Edits a message; what was begun is set aside. */
  edit({ seq, text }: Pick<Message, 'seq' | 'text'>): void {
    this.#mode = { type: 'edit', seq, aside: this.unsent };
    this.text = text;
  }

  /** Ends an edit without a change, or takes the answer's target away and leaves its text. */
  cancel(): void {
    if (this.#mode.type === 'edit') this.#endEdit();
    else this.#mode = { type: 'new', replyTo: undefined };
  }

  /** Takes what is written out of the field. An edit leaves what was set aside there, a new message nothing. */
  take(): Written {
    const { written } = this;
    if (this.#mode.type === 'edit') this.#endEdit();
    else this.restore(NOTHING);
    return written;
  }

  #endEdit(): void {
    this.restore(this.unsent);
  }
}
