import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import postgres from 'postgres';
import { DataSource } from 'typeorm';
import { startServices } from '../../../scripts/services/services.mjs';
import { connectionOf } from '../../../lib/outbox/connection/recognise.js';
import { Gate } from '../../support/gate.js';
import { until } from '../../support/until.js';
import { LIBRARIES, type Handle } from '../support/libraries.js';

const services = await startServices({ redis: false, mariadb: true });
const mysqlUrl = services.mariadbUrl;

afterAll(() => services.stop());

/** Their connections are out of reach. */
const DEAF = ['Prisma', 'Kysely'];
/** It connects again by itself. */
const RECONNECTS = ['postgres.js', 'Drizzle (postgres.js)'];

describe.each(LIBRARIES.filter(({ dialect }) => dialect === 'postgres'))(
  'notices by $library',
  ({ library, open }) => {
    const channel = `Flowrra "${library}" ${process.pid}`;
    let handle: Handle;
    let admin: pg.Client;

    beforeAll(async () => {
      admin = new pg.Client({ connectionString: services.postgresUrl });
      await admin.connect();
      handle = await open(services.postgresUrl);
    });
    afterAll(async () => {
      await handle.close();
      await admin.end();
    });

    const notify = (name: string): Promise<unknown> => admin.query(`SELECT pg_notify($1, '')`, [name]);
    const listeners = async (): Promise<readonly { pid: number }[]> => {
      const quoted = `%${channel.replaceAll('"', '""')}%`;
      const text = `SELECT pid FROM pg_stat_activity WHERE lower(query) LIKE lower($1) AND query ILIKE 'listen%'`;
      return (await admin.query<{ pid: number }>(text, [quoted])).rows;
    };

    if (DEAF.includes(library)) {
      it('are not heard', () => {
        expect(connectionOf(handle.database, 'database').listen).toBeUndefined();
      });
      return;
    }

    it('are heard until the listening ends', async () => {
      const { listen } = connectionOf(handle.database, 'database');
      const heard = new Gate();
      let lost = 0;
      const end = await listen?.(channel, heard.open, () => lost++);
      await notify('another channel');
      await notify(channel);
      await heard.passed;
      await end?.();
      await end?.();
      await until(async () => (await listeners()).length === 0, { describe: 'the listener is gone' });
      expect(lost).toBe(0);
    });

    it('tell that the connection is lost, or that notices may have been', async () => {
      const { listen } = connectionOf(handle.database, 'database');
      const told = new Gate();
      const calls: string[] = [];
      const tell = (name: string) => (): void => {
        calls.push(name);
        told.open();
      };
      const end = await listen?.(channel, tell('heard'), tell('lost'));
      for (const { pid } of await listeners()) await admin.query('SELECT pg_terminate_backend($1)', [pid]);
      await told.passed;
      await end?.();
      expect(calls).toEqual([RECONNECTS.includes(library) ? 'heard' : 'lost']);
    });
  },
);

describe('pg', () => {
  it('gives a client, which tells whether it is in a transaction', async () => {
    const client = new pg.Client({ connectionString: services.postgresUrl });
    expect(connectionOf(client, 'client').isInTransaction()).toBeNull();
    await client.connect();
    const known = connectionOf(client, 'client');
    await known.run('SELECT 1', []);
    expect(known.isInTransaction()).toBe(false);
    await known.run('BEGIN', []);
    expect(known.isInTransaction()).toBe(true);
    await expect(known.run('SELECT 1 / 0', [])).rejects.toThrow('division by zero');
    expect(known.isInTransaction()).toBe(true);
    await client.end();
  });

  it('gives a client of an earlier version, which does not tell', async () => {
    const client = new pg.Client({ connectionString: services.postgresUrl });
    Object.assign(client, { getTransactionStatus: undefined });
    expect(connectionOf(client, 'client').isInTransaction()).toBeNull();
  });

  it('survives a pool that cannot connect to listen', async () => {
    const pool = new pg.Pool({ host: '127.0.0.1', port: 1 });
    const listening = connectionOf(pool, 'pool').listen?.(
      'c',
      () => {},
      () => {},
    );
    await expect(listening).rejects.toThrow(/ECONNREFUSED/);
    await pool.end();
  });
});

describe('postgres.js', () => {
  it('gives a reserved connection, which does not tell', async () => {
    const sql = postgres(services.postgresUrl);
    const reserved = await sql.reserve();
    const known = connectionOf(reserved, 'reserved');
    expect(known.isInTransaction()).toBeNull();
    expect(await known.run('SELECT $1::int AS n', [1])).toEqual([{ n: 1 }]);
    reserved.release();
    await sql.end();
  });
});

describe('mysql2', () => {
  it('gives rows as objects, whatever the connection was made for', async () => {
    const connection = await createConnection({ uri: mysqlUrl, rowsAsArray: true, namedPlaceholders: true });
    const known = connectionOf(connection, 'connection');
    expect(known.isInTransaction()).toBeNull();
    expect(await known.run('SELECT ? AS some_number', [1])).toEqual([{ some_number: 1 }]);
    await connection.end();
  });
});

describe('TypeORM on PostgreSQL', () => {
  it('leaves other runners alone while one has a transaction', async () => {
    const source = await new DataSource({ type: 'postgres', url: services.postgresUrl }).initialize();
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    expect(connectionOf(runner, 'runner').isInTransaction()).toBe(true);
    expect(connectionOf(source, 'source').isInTransaction()).toBe(false);
    await runner.rollbackTransaction();
    await runner.release();
    await source.destroy();
  });
});
