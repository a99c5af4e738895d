import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, Socket } from 'node:net';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import {
  isBrokenConnection,
  isNotWritten,
  isWithoutConnection,
  maxSilence,
  onDuplicate,
  rejectUnanswered,
  SilenceWatch,
  writeTogether,
} from '../../lib/engine/bullmq/server/ioredis-internals.js';

const PLAIN = {
  lazyConnect: true,
  enableReadyCheck: false,
  maxRetriesPerRequest: null,
  protocol: 2,
} as const;

let server: Server;
let sockets: Socket[];
/** The received text, in the pieces in which it was read. */
let pieces: string[];
let answering: boolean;
let client: Redis;

/** Answers OK to each command of Redis's protocol. */
beforeEach(async () => {
  [sockets, pieces, answering] = [[], [], true];
  server = createServer((socket) => {
    sockets.push(socket.setEncoding('utf8'));
    socket.on('error', () => {});
    socket.on('data', (piece: string) => {
      pieces.push(piece);
      if (answering) socket.write('+OK\r\n'.repeat(piece.split('*').length - 1));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  client = new Redis((server.address() as AddressInfo).port, '127.0.0.1', PLAIN);
  client.on('error', () => {});
});

afterEach(() => {
  client.disconnect();
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function connected(): Promise<void> {
  await client.connect();
  pieces = [];
}

describe('commands of one turn', () => {
  it('are written together, and all are answered', async () => {
    const written: number[] = [];
    writeTogether(client);
    await connected();
    const { stream } = client;
    const writev = stream._writev?.bind(stream);
    stream._writev = (chunks, done) => {
      written.push(chunks.length);
      writev?.(chunks, done);
    };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => client.set(`key-${n}`, 'ü'.repeat(n))),
    );
    expect(answers).toEqual(Array(50).fill('OK'));
    expect(written).toEqual([49]);
    expect(pieces.join('').match(/key-\d+/g)).toEqual(Array.from({ length: 50 }, (_, n) => `key-${n}`));
  });

  it('are also sent if the next turn has others', async () => {
    writeTogether(client);
    await connected();
    for (let turn = 0; turn < 3; turn++) {
      expect(await Promise.all([client.get('a'), client.get('b')])).toEqual(['OK', 'OK']);
      expect(await client.get('c')).toBe('OK');
    }
  });

  it('are rejected when the connection breaks, and those of the next connection are sent', async () => {
    writeTogether(client);
    await connected();
    answering = false;
    const rejected = [client.get('a'), client.get('b')].map((answer) =>
      answer.catch((error: Error) => error),
    );
    client.options.maxRetriesPerRequest = 0;
    const again = once(client, 'ready');
    client.stream.destroy();
    for (const error of await Promise.all(rejected)) expect(error).toBeInstanceOf(Error);
    answering = true;
    await again;
    expect(await Promise.all([client.get('c'), client.get('d')])).toEqual(['OK', 'OK']);
  });
});

describe('a connection', () => {
  it('with an unanswered command that receives nothing between two checks is replaced', async () => {
    await connected();
    const watch = new SilenceWatch([client], maxSilence({}));
    answering = false;
    const answer = client.get('a');
    watch.check();
    const given = once(client, 'error');
    watch.check();
    await expect(given).resolves.toMatchObject([{ message: 'Connection given up: no answer for 20 s' }]);
    answering = true;
    // The new connection sends the unanswered command again.
    expect(await answer).toBe('OK');
    expect(sockets).toHaveLength(2);
  });

  it('that receives something, or has no unanswered command, stays', async () => {
    await connected();
    const watch = new SilenceWatch([client], maxSilence({}));
    watch.check();
    watch.check();
    answering = false;
    const answer = client.get('a');
    watch.check();
    sockets[0]?.write('+late\r\n');
    expect(await answer).toBe('late');
    void client.get('b').catch(() => {});
    watch.check();
    expect(sockets).toHaveLength(1);
    expect(client.status).toBe('ready');
  });

  it('may be silent while a worker waits for a job', () => {
    expect([{}, { drainDelay: 1 }, { drainDelay: 60 }].map(maxSilence)).toEqual([20_000, 20_000, 120_000]);
  });
});

describe('the internals of ioredis that Flowrra uses', () => {
  it('the socket is `stream`, with `bytesRead`, `cork` and `uncork`', async () => {
    await connected();
    const { stream } = client;
    expect(stream).toBeInstanceOf(Socket);
    const before = stream.bytesRead;
    await client.get('a');
    expect(stream.bytesRead).toBeGreaterThan(before);
  });

  it('unanswered commands are in `commandQueue`', async () => {
    await connected();
    answering = false;
    const answer = client.get('a');
    expect(client.commandQueue).toHaveLength(1);
    sockets[0]?.write('+late\r\n');
    await answer;
    expect(client.commandQueue).toHaveLength(0);
  });

  it('a command without a connection is rejected with the expected message', async () => {
    const offline = new Redis({ ...PLAIN, enableOfflineQueue: false });
    const error: unknown = await offline.get('a').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Error);
    expect(isWithoutConnection(error)).toBe(true);
    expect(isNotWritten(error as Error)).toBe(true);
    expect(isBrokenConnection((error as Error).message)).toBe(true);
    offline.disconnect();
  });

  it('a command whose connection ends for good is rejected with the expected message', async () => {
    await connected();
    answering = false;
    const answer = client.get('a').catch((cause: unknown) => cause);
    client.disconnect();
    const error = (await answer) as Error;
    expect(isBrokenConnection(error.message)).toBe(true);
    expect(isNotWritten(error)).toBe(false);
  });

  it('`flushQueue` rejects unanswered commands when their connection ends, though ioredis connects again', async () => {
    client.disconnect();
    const port = (server.address() as AddressInfo).port;
    client = rejectUnanswered(
      new Redis(port, '127.0.0.1', { ...PLAIN, autoResendUnfulfilledCommands: false }),
    );
    client.on('error', () => {});
    await connected();
    answering = false;
    const error = client.get('a').catch((cause: unknown) => cause);
    const again = once(client, 'ready');
    client.stream.destroy();
    expect(isBrokenConnection(((await error) as Error).message)).toBe(true);
    answering = true;
    await again;
    expect(await client.get('b')).toBe('OK');
  });

  it('BullMQ duplicates a client by its method `duplicate`', async () => {
    const duplicates: Redis[] = [];
    onDuplicate(client, (duplicate) => {
      duplicates.push(duplicate);
      return duplicate.on('error', () => {});
    });
    const worker = new Worker('q', null, { connection: client, autorun: false, skipVersionCheck: true });
    worker.on('error', () => {});
    expect(duplicates).toHaveLength(1);
    await worker.close(true);
    duplicates[0]?.disconnect();
  });
});
