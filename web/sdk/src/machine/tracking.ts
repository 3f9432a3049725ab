/**
 * Which committed sends still want to know that they were delivered and read.
 * Bounded: above {@link TRACKED} the oldest are let go.
 */

import type { SendStatus, Sent } from '../types.ts';

/** Committed sends that are followed, at most. */
export const TRACKED = 4_096;

interface Tracked {
  readonly sent: Sent;
  delivered: boolean;
}

export class Tracking {
  /** By local id, in order of commitment. */
  readonly sends = new Map<number, Tracked>();

  add(localId: number, sent: Sent): void {
    this.sends.set(localId, { sent, delivered: false });
    for (const oldest of this.sends.keys()) {
      if (this.sends.size <= TRACKED) break;
      this.sends.delete(oldest);
    }
  }

  /** The others' cursors stand there: what gets further by it. */
  handleCursors(
    conversation: string,
    delivered: number,
    read: number,
  ): { localId: number; status: SendStatus }[] {
    const further: { localId: number; status: SendStatus }[] = [];
    for (const [localId, tracked] of this.sends) {
      const { sent } = tracked;
      if (sent.conversation !== conversation) continue;
      if (sent.seq <= read) {
        this.sends.delete(localId);
        further.push({ localId, status: { type: 'read', sent } });
      } else if (sent.seq <= delivered && !tracked.delivered) {
        tracked.delivered = true;
        further.push({ localId, status: { type: 'delivered', sent } });
      }
    }
    return further;
  }

  /** Conversations with sends that still wait for a cursor. */
  conversations(): Set<string> {
    return new Set([...this.sends.values()].map(({ sent }) => sent.conversation));
  }
}
