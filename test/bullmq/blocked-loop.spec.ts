import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { SharedTimeout } from '../../lib/engine/bullmq/server/shared-timeout.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';

/** Blocks the event loop. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('an answer that waits in the socket while the loop is blocked', () => {
  const open: Socket[] = [];
  afterEach(() => open.splice(0).forEach((socket) => socket.destroy()));

  async function sockets(): Promise<readonly [Socket, Socket]> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[there]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
    server.close();
    open.push(client, there as Socket);
    return [client, there as Socket];
  }

  it('is in time, though the time is over when the loop goes on', async () => {
    const [client, server] = await sockets();
    const answer = new SharedTimeout(100).limit(once(client, 'data'));
    server.write('answer');
    block(300);
    expect(String(await answer)).toBe('answer');
  });

  it('is in time, though the loop was blocked just before the end', async () => {
    const [client, server] = await sockets();
    const answer = new SharedTimeout(100).limit(once(client, 'data'));
    setTimeout(() => {
      server.write('answer');
      block(200);
    }, 90);
    expect(String(await answer)).toBe('answer');
  });

  it('real silence is noticed all the same, after the time without the pause', async () => {
    const [client] = await sockets();
    const answer = new SharedTimeout(100).limit(once(client, 'data'));
    block(300);
    await expect(answer).rejects.toThrow('no answer within 100 ms');
  });
});

const SUBMIT_TIMEOUT = 3_000;

await onBoth(({ url }) => {
  it('a blocked loop is no outage', async () => {
    const { flowrra } = await startOn(
      { connection: url, prefix: place(), submitTimeout: SUBMIT_TIMEOUT },
      Work,
      { role: 'producer', queues: { other: {} } },
    );
    flowrra.register({ name: 'other', queue: 'other' }, () => {});
    // More concurrent calls than the pool has connections so far.
    const submitted = Array.from({ length: 50 }, (_, n) => [
      flowrra.submit('Work.double', n),
      flowrra.submit('other'),
      flowrra.getResult('unknown').then(() => 'read'),
    ]).flat();
    // By then all calls are sent that need no answer first.
    await new Promise(setImmediate);
    block(SUBMIT_TIMEOUT + 1_000);
    for (const answer of await Promise.all(submitted)) expect(answer).toEqual(expect.any(String));
  });
});
