import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ServiceControls, startServices } from '../../../scripts/services/services.mjs';
import { bullmq } from '../../../lib/engine/bullmq/index.js';
import { loadDriver } from '../../../lib/engine/sqlite/file/load-driver.js';
import type { Engine } from '../../../lib/index.js';
import { endLeases } from '../../fleet/leases.js';
import { DRIVER, sqliteEngine } from '../../support/sqlite.js';
import { type Database, openDatabase } from './fixtures/databases.js';
import type { Dialect, EngineKind, ShopPlace } from './fixtures/place.js';

export type Outage = (ms: number) => Promise<void>;

/** The storage of one shop, and the disasters that can happen to it. */
export interface Storage {
  readonly place: ShopPlace;
  readonly database: Database;
  engine(): Engine;
  /** Ends the leases of a killed worker, and of the live ones if they cannot be told from it. */
  endLeases(pid: number): Promise<void>;
  /** Kills the server of the database and restarts it; `null` if it has none. */
  readonly databaseOutage: Outage | null;
  readonly engineOutage: Outage | null;
  close(): Promise<void>;
}

/** The servers of all shops. Each acknowledged commit survives a kill. */
export async function startServers() {
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-outbox-'));
  const servers = await startServices({ mariadb: true, own: true, durable: true });
  const outageOf =
    (server: ServiceControls): Outage =>
    async (ms) => {
      await server.kill();
      await pause(ms);
      await server.restart();
    };

  /** The URL of a new database. */
  async function created(dialect: 'postgres' | 'mysql', name: string): Promise<string> {
    const url = new URL(dialect === 'postgres' ? servers.postgresUrl : servers.mariadbUrl);
    const database = await openDatabase(dialect, url.href);
    await database.run(`CREATE DATABASE ${name}`);
    await database.close();
    url.pathname = `/${name}`;
    return url.href;
  }

  async function engineStorage(kind: EngineKind, name: string): Promise<string> {
    if (kind === 'redis') return servers.redisUrl;
    return kind === 'sqlite' ? join(folder, `${name}-tasks.db`) : created('postgres', `${name}_tasks`);
  }

  async function open(dialect: Dialect, engine: EngineKind): Promise<Storage> {
    const name = `shop_${dialect}_${engine}`;
    const place: ShopPlace = {
      dialect,
      database: dialect === 'sqlite' ? join(folder, `${name}.db`) : await created(dialect, name),
      engine,
      engineStorage: await engineStorage(engine, name),
      prefix: name,
      driver: DRIVER,
    };
    const database = await openDatabase(dialect, place.database);
    await database.run('CREATE TABLE orders (id varchar(60) PRIMARY KEY, parts integer NOT NULL)');
    await database.run(
      'CREATE TABLE ledger (order_id varchar(60) NOT NULL, part integer NOT NULL, block varchar(20) NOT NULL, token varchar(60) NOT NULL)',
    );
    const { engineStorage: file, prefix } = place;
    return {
      place,
      database,
      engine: () =>
        engine === 'sqlite' ? sqliteEngine({ file }) : bullmq({ connection: file, prefix, lease: '15s' }),
      endLeases: (pid) => (engine === 'sqlite' ? endAllLeases(file) : endLeases(file, prefix, pid)),
      databaseOutage: {
        postgres: outageOf(servers.postgres),
        mysql: outageOf(servers.mariadb),
        sqlite: null,
      }[dialect],
      engineOutage: { postgres: outageOf(servers.postgres), redis: outageOf(servers.redis), sqlite: null }[
        engine
      ],
      close: () => database.close(),
    };
  }

  return {
    open,
    async stop() {
      await servers.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Attempts of live workers run twice then, as after a stall: their blocks take effect once all the same. */
async function endAllLeases(file: string): Promise<void> {
  const database = (await loadDriver(DRIVER)).open(file);
  database.prepare("UPDATE jobs SET leased_until = 0 WHERE status = 'running'").run();
  database.close();
}
