/** Ways to carry envelopes. A connection is used by one driver, and once. */

import type { ErrorInfo } from '../error.ts';
import { fromCode, ParleyError, problem } from '../error.ts';
import type { TransportName } from '../types.ts';

/** What a connection tells its driver. */
export interface Receiver {
  /** One envelope came. */
  handleFrame(bytes: Uint8Array): void;
  /** It is over; told once, and never after {@link Connection.close}. */
  handleEnd(error: ErrorInfo): void;
}

/** An open connection. */
export interface Connection {
  readonly transport: TransportName;
  /** Sends one envelope; later ones follow it. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Bytes that wait to be written. */
  readonly bufferedBytes: number;
  close(): void;
}

/** The part of the WebSocket API that is used; browsers', Node 22's, `ws`'. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  // biome-ignore lint/suspicious/noExplicitAny: implementations have events of their own types.
  addEventListener(type: any, listener: (event: any) => void): void;
}

export type WebSocketConstructor = new (url: string, protocol: string) => WebSocketLike;

/** How long a transport may take to open. */
export const DIAL_MS = 10_000;

/** Envelopes from the server are at most so big. */
export const FRAME_BYTES = 1 << 20;

/** Opens a WebSocket. Rejects with a `ParleyError`; `signal` gives up. */
export function dialWebSocket(
  Socket: WebSocketConstructor,
  url: string,
  receiver: Receiver,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = new Socket(url, 'parley.v1');
    socket.binaryType = 'arraybuffer';
    let open = false;
    let over = false;
    const end = (error: ErrorInfo) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      if (open) receiver.handleEnd(error);
      else reject(new ParleyError(error));
    };
    const giveUp = () => {
      end(problem('aborted', 'given up'));
      socket.close();
    };
    const timer = setTimeout(() => {
      end(problem('timeout', 'the connection did not open in time'));
      socket.close();
    }, DIAL_MS);
    signal.addEventListener('abort', giveUp);
    socket.addEventListener('open', () => {
      if (over) return;
      open = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      resolve({
        transport: 'websocket',
        send: (bytes) => socket.send(bytes),
        get bufferedBytes() {
          return socket.bufferedAmount;
        },
        close() {
          over = true;
          socket.close(1000);
        },
      });
    });
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      if (over) return;
      if (data instanceof ArrayBuffer && data.byteLength <= FRAME_BYTES) {
        receiver.handleFrame(new Uint8Array(data));
        return;
      }
      end(problem('protocol', 'the server sent something that is no envelope'));
      socket.close(1000);
    });
    // It has nothing of use; a close follows.
    socket.addEventListener('error', () => {});
    socket.addEventListener('close', ({ code }: { code?: number }) =>
      end(closeError(code ?? 1006)),
    );
  });
}

/** What a WebSocket's close code means; 4000 to 4999 carry the error table's numbers. */
function closeError(code: number): ErrorInfo {
  if (code > 4000 && code < 5000) return fromCode(code - 4000);
  return problem('network', `the connection ended (${code})`);
}
