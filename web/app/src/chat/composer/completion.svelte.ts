/**
 * The list above the field that completes what is being written: members after an
 * @, emoji after a colon. Holds what was begun, what fits it, and which of that is
 * chosen; returns changes of the text and makes none itself.
 *
 * Driven by the composer: `look` after each change of the text or the caret.
 */

import { type Begun, begunMention } from '@parley/client/text';
import { begunEmoji, type EmojiGroup, emojiOf, endedEmoji, findEmoji } from './emoji';
import type { Change } from './format';

/** So many are offered. */
export const OFFERED = 6;

export interface Match {
  readonly id: string;
  /** What is put into the text. */
  readonly put: string;
  readonly called: string;
  readonly detail: string;
}

export interface Sources {
  /** The members whose names begin with these letters, at most {@link OFFERED}. */
  readonly people: (letters: string) => readonly Match[];
  readonly emoji: () => Promise<readonly EmojiGroup[]>;
}

/** The text of the field and where the caret stands; no caret while something is selected. */
export interface Field {
  readonly text: string;
  readonly caret: number | undefined;
}

type Kind = 'mention' | 'emoji';

export class Completion {
  readonly #sources: Sources;
  #begun = $state.raw<Begun & { readonly kind: Kind }>();
  #emoji = $state.raw<readonly EmojiGroup[]>([]);
  #chosen = $state(0);
  readonly #matches = $derived.by(() => this.#find());

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** What is being completed. */
  get kind(): Kind | undefined {
    return this.#begun?.kind;
  }

  /** What is offered, best first; the list is closed when there is nothing. */
  get matches(): readonly Match[] {
    return this.#matches;
  }

  /** Index of the match that Enter takes. */
  get chosen(): number {
    return this.#chosen;
  }

  /** Looks what is being written before the caret. */
  look({ text, caret }: Field): void {
    const mention = caret === undefined ? undefined : begunMention(text, caret);
    const name = caret === undefined || mention ? undefined : begunEmoji(text, caret);
    const found = mention ?? name;
    if (found?.at !== this.#begun?.at || found?.letters !== this.#begun?.letters) this.#chosen = 0;
    this.#begun = found && { ...found, kind: mention ? 'mention' : 'emoji' };
    if (name) void this.#needEmoji();
  }

  /** Moves the choice, around the ends. */
  step(by: 1 | -1): void {
    const count = this.#matches.length;
    if (count > 0) this.#chosen = (this.#chosen + by + count) % count;
  }

  close(): void {
    this.#begun = undefined;
  }

  /** Closes the list. Returns the change that puts this match in, with the caret behind it. */
  take(which: number, text: string): Change | undefined {
    const match = this.#matches[which];
    if (!match || !this.#begun) return undefined;
    const { at, letters, kind } = this.#begun;
    this.close();
    const to = at + 1 + letters.length;
    // A name is followed by a space, an emoji perhaps by another one.
    const spaced = /^\s/.test(text.slice(to));
    const put = kind === 'mention' && !spaced ? `${match.put} ` : match.put;
    const caret = at + put.length + (kind === 'mention' && spaced ? 1 : 0);
    return { from: at, to, put, select: [caret, caret] };
  }

  /**
   * The change that makes an emoji of a name with its second colon. The data may have to
   * be loaded first; nothing is returned if something else was written meanwhile.
   */
  async ended(read: () => Field): Promise<Omit<Change, 'select'> | undefined> {
    const begin = endedAt(read());
    if (!begin) return undefined;
    await this.#needEmoji();
    const put = emojiOf(this.#emoji, begin.letters);
    const now = endedAt(read());
    if (put === undefined || now?.at !== begin.at || now.to !== begin.to) return undefined;
    return { from: begin.at, to: begin.to, put };
  }

  async #needEmoji(): Promise<void> {
    if (this.#emoji.length > 0) return;
    // Offline and never loaded: nothing is offered, and what was written stays.
    this.#emoji = await this.#sources.emoji().catch(() => []);
  }

  #find(): readonly Match[] {
    if (!this.#begun) return [];
    const { kind, letters } = this.#begun;
    if (kind === 'mention') return this.#sources.people(letters);
    return findEmoji(this.#emoji, letters, OFFERED).map((found) => ({
      id: found.emoji,
      put: found.emoji,
      called: found.emoji,
      detail: `:${found.code}:`,
    }));
  }
}

function endedAt({ text, caret }: Field): (Begun & { readonly to: number }) | undefined {
  const found = caret === undefined ? undefined : endedEmoji(text, caret);
  return found && caret !== undefined ? { ...found, to: caret } : undefined;
}
