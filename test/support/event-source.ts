import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import type { Source } from '../../sample-app/tasks/follow.js';

/** Reads a stream of server-sent events over HTTP, as a browser does, but does not connect again. */
export class StreamedEvents implements Source {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  /** Resolves at the end of the stream. */
  readonly ended: Promise<'by the server' | 'by the client'>;
  /** The events of other types, such as errors. */
  readonly others: string[] = [];
  private readonly request: ClientRequest;
  private isClosed = false;

  constructor(url: string) {
    this.request = get(url, { agent: false, headers: { accept: 'text/event-stream' } });
    this.ended = this.read();
  }

  close(): void {
    this.isClosed = true;
    this.request.destroy();
  }

  private async read(): Promise<'by the server' | 'by the client'> {
    try {
      const [response] = (await once(this.request, 'response')) as [IncomingMessage];
      if (response.statusCode !== 200) throw new Error(`The answer is ${response.statusCode}.`);
      this.onopen?.();
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) {
        text += chunk as string;
        const events = text.split('\n\n');
        text = events.pop() as string;
        for (const event of events) this.emit(event);
      }
    } catch (error) {
      if (!this.isClosed) throw error;
    }
    return this.isClosed ? 'by the client' : 'by the server';
  }

  private emit(event: string): void {
    const data = event
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice('data: '.length))
      .join('\n');
    if (/^event: /m.test(event)) this.others.push(data);
    else if (data !== '') this.onmessage?.({ data });
  }
}
