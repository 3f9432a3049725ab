// What a composer hands over to be sent. Whatever else a message can carry is a field more here.

import type { Mention } from '@parley/client';

export interface Composed {
  readonly text: string;
  readonly mentions: readonly Mention[];
  readonly replyTo?: number | undefined;
  /** Gives this message its text instead of sending a new one. */
  readonly editing?: number | undefined;
}
