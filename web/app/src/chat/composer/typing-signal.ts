// Whether a new message is being written, for those who see that: said with each change, and once when it ends.

export class TypingSignal {
  #active = false;

  constructor(private readonly say: (active: boolean) => void) {}

  /** After each change of the text. */
  changed(active: boolean): void {
    if (active || this.#active) this.say(active);
    this.#active = active;
  }

  stop(): void {
    if (this.#active) this.changed(false);
  }
}
