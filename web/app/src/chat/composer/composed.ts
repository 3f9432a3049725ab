// What a composer hands over to be sent. Attachments would be another field of it.

import type { Mention } from '@parley/client';

export interface Composed {
  readonly text: string;
  readonly mentions: readonly Mention[];
  readonly replyTo?: number | undefined;
  /** The message that gets this text, instead of a new one. */
  readonly editing?: number | undefined;
}
