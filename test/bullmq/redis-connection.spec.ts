import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { silenceFor, SilenceWatch } from '../../lib/engine/bullmq/server/silence-watch.js';
import { writeTogether } from '../../lib/engine/bullmq/submit/written-together.js';

const PLAIN = {
  lazyConnect: true,
  enableReadyCheck: false,
  maxRetriesPerRequest: null,
  protocol: 2,
} as const;

let server: Server;
let sockets: Socket[];
/** What has come in, in the pieces in which it was read. */
let pieces: string[];
let answering: boolean;
let client: Redis;

/** Takes any command of Redis's protocol, of which it only knows where the next begins. */
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

  it('leave as well when the next turn has others', async () => {
    writeTogether(client);
    await connected();
    for (let turn = 0; turn < 3; turn++) {
      expect(await Promise.all([client.get('a'), client.get('b')])).toEqual(['OK', 'OK']);
      expect(await client.get('c')).toBe('OK');
    }
  });

  it('are refused when the connection breaks, and those of the next one are written', async () => {
    writeTogether(client);
    await connected();
    answering = false;
    const refused = [client.get('a'), client.get('b')].map((answer) => answer.catch((error: Error) => error));
    client.options.maxRetriesPerRequest = 0;
    const again = once(client, 'ready');
    client.stream.destroy();
    for (const error of await Promise.all(refused)) expect(error).toBeInstanceOf(Error);
    answering = true;
    await again;
    expect(await Promise.all([client.get('c'), client.get('d')])).toEqual(['OK', 'OK']);
  });
});

describe('a connection', () => {
  it('on which an answer is awaited between two looks, and nothing comes, is given up for another', async () => {
    await connected();
    const watch = new SilenceWatch([client], silenceFor({}));
    answering = false;
    const answer = client.get('a');
    watch.look();
    const given = once(client, 'error');
    watch.look();
    await expect(given).resolves.toMatchObject([{ message: 'Connection given up: no answer for 20 s' }]);
    answering = true;
    // What was not answered is asked again, of the new one.
    expect(await answer).toBe('OK');
    expect(sockets).toHaveLength(2);
  });

  it('on which something comes, or nothing is awaited, is kept', async () => {
    await connected();
    const watch = new SilenceWatch([client], silenceFor({}));
    watch.look();
    watch.look();
    answering = false;
    const answer = client.get('a');
    watch.look();
    sockets[0]?.write('+late\r\n');
    expect(await answer).toBe('late');
    void client.get('b').catch(() => {});
    watch.look();
    expect(sockets).toHaveLength(1);
    expect(client.status).toBe('ready');
  });

  it('may be silent for as long as a worker waits for a job', () => {
    expect([{}, { drainDelay: 1 }, { drainDelay: 60 }].map(silenceFor)).toEqual([20_000, 20_000, 120_000]);
  });
});
