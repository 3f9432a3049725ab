/**
 * WebTransport: one bidirectional stream of HTTP/3 is the session, each envelope
 * behind its length. Loaded only when it is asked for.
 */

import { type ErrorInfo, fromCode, ParleyError, problem } from '../error.ts';
import { type Json, type Requester, text } from '../request.ts';
import { FrameReader, framed } from './frames.ts';
import { type Connection, DIAL_MS, type Receiver } from './transport.ts';

/** Where the first node that offers it is reached; its certificate's hash changes in time. */
async function discover(http: Requester) {
  const { nodes } = await http.json('GET', '/v1/discovery');
  for (const node of Array.isArray(nodes) ? (nodes as Json[]) : []) {
    const wt = node.wt as Json | undefined;
    if (wt) return { url: text(wt.url), hash: text(wt.certificate_sha256) };
  }
  return undefined;
}

/** Rejects with a `ParleyError`; `signal` gives up. */
export async function dialWebTransport(
  http: Requester,
  query: string,
  receiver: Receiver,
  signal: AbortSignal,
): Promise<Connection> {
  const wt = await discover(http);
  if (!wt) throw new ParleyError(problem('network', 'the server offers no WebTransport'));
  if (!globalThis.WebTransport) {
    throw new ParleyError(problem('network', 'there is no WebTransport here'));
  }
  const { hash } = wt;
  const session = new WebTransport(wt.url + query, {
    ...(hash && { serverCertificateHashes: [{ algorithm: 'sha-256', value: fromBase64(hash) }] }),
  });
  // Its end is heard of below; before that, by `ready`.
  session.closed.catch(() => {});
  const giveUp = () => session.close();
  signal.addEventListener('abort', giveUp);
  const timer = setTimeout(giveUp, DIAL_MS);
  try {
    await session.ready;
    const stream = await session.createBidirectionalStream();
    return new Stream(session, stream, receiver);
  } catch {
    session.close();
    throw new ParleyError(problem('network', 'the WebTransport session did not open'));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

class Stream implements Connection {
  readonly transport = 'webtransport';
  bufferedBytes = 0;
  #over = false;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(
    private readonly session: WebTransport,
    stream: WebTransportBidirectionalStream,
    private readonly receiver: Receiver,
  ) {
    this.#writer = stream.writable.getWriter();
    this.#writer.closed.catch(() => {});
    void this.#read(stream.readable);
    session.closed.then(
      ({ closeCode }) => this.#end(closeCode ? fromCode(closeCode) : ended()),
      () => this.#end(ended()),
    );
  }

  send(bytes: Uint8Array): void {
    const frame = framed(bytes);
    this.bufferedBytes += frame.length;
    this.#writer.write(frame).then(
      () => {
        this.bufferedBytes -= frame.length;
      },
      () => this.#end(ended()),
    );
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    // What was written goes out first; a server that takes nothing is left all the same.
    const timer = setTimeout(() => this.session.close(), 1_000);
    this.#writer
      .close()
      .catch(() => {})
      .finally(() => {
        clearTimeout(timer);
        this.session.close();
      });
  }

  async #read(readable: ReadableStream<Uint8Array>): Promise<void> {
    const frames = new FrameReader();
    const reader = readable.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done || this.#over) break;
        for (const frame of frames.push(value)) {
          if (!this.#over) this.receiver.handleFrame(frame);
        }
      }
      this.#end(ended());
    } catch (error) {
      const broken = error instanceof RangeError;
      this.#end(broken ? problem('protocol', 'the server sent a malformed frame') : ended());
    }
  }

  #end(error: ErrorInfo): void {
    if (this.#over) return;
    this.#over = true;
    this.session.close();
    this.receiver.handleEnd(error);
  }
}

function ended(): ErrorInfo {
  return problem('network', 'the connection ended');
}
