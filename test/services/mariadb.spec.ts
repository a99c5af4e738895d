import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startServices } from '../../scripts/services/services.mjs';

const services = await startServices({ redis: false, postgres: false, mariadb: true, own: true });
const { mariadb } = services;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => services.stop());

async function connected(): Promise<Socket> {
  const socket = connect(mariadb.port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** The server speaks first: a packet's head of 4 bytes, the version of the protocol, the server's version. */
async function greeting(socket: Socket): Promise<{ protocol: number | undefined; server: string }> {
  const [packet] = (await once(socket, 'data')) as [Buffer];
  return { protocol: packet[4], server: packet.toString('latin1', 5, packet.indexOf(0, 5)) };
}

const refused = { code: 'ECONNREFUSED' };
const greeted = { protocol: 10, server: expect.stringContaining('MariaDB') as string };

describe('a private MariaDB', () => {
  it('takes connections at its URL, as root, to the database `test`', async () => {
    expect(services.mariadbUrl).toBe(`mysql://root@127.0.0.1:${mariadb.port}/test`);
    expect(await greeting(await connected())).toEqual(greeted);
  });

  it('answers nothing between pause() and resume()', async () => {
    const order: string[] = [];
    mariadb.pause();
    // The system accepts the connection in the server's place.
    const greets = greeting(await connected()).then(() => order.push('greeted'));
    order.push('resumed');
    mariadb.resume();
    await greets;
    expect(order).toEqual(['resumed', 'greeted']);
  });

  it('refuses connections after kill(), and has the same URL after restart()', async () => {
    const url = mariadb.url;
    await mariadb.kill();
    await expect(connected()).rejects.toMatchObject(refused);
    await mariadb.restart();
    expect(mariadb.url).toBe(url);
    expect(await greeting(await connected())).toEqual(greeted);
  });

  it('is gone after stop()', async () => {
    await services.stop();
    await expect(connected()).rejects.toMatchObject(refused);
  });
});

it('is not started unless it is asked for', async () => {
  const none = await startServices({ redis: false, postgres: false });
  expect(none.mariadb).toBeUndefined();
  expect(none.mariadbUrl).toBeUndefined();
  await none.stop();
});
