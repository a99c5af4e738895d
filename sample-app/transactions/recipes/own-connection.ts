// sample-app/transactions/recipes/own-connection.ts
import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox, type SqlConnection } from 'flowrra/outbox';
import { Client } from 'pg';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

type Rows = Record<string, unknown>[];

/** Stands in for a library that Flowrra does not know. */
class LegacyDatabase {
  private readonly clients: Client[] = [];

  async connect(): Promise<LegacyConnection> {
    const client = new Client({ connectionString: databaseUrl() });
    this.clients.push(client);
    await client.connect();
    return { fetchAll: async (sql, values = []) => (await client.query<Rows[0]>(sql, [...values])).rows };
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
  }
}

interface LegacyConnection {
  fetchAll(sql: string, values?: readonly unknown[]): Promise<Rows>;
}

// #region connection
function connectionOf(legacy: LegacyConnection): SqlConnection {
  return {
    dialect: 'postgres', // or 'mysql', also for MariaDB; or 'sqlite'
    run: (sql, values) => legacy.fetchAll(sql, values), // the rows as objects
  };
}
// #endregion

@Injectable()
export class Orders {
  constructor(
    private readonly legacy: LegacyDatabase,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    const tx = await this.legacy.connect();
    await tx.fetchAll('BEGIN');
    try {
      await tx.fetchAll('INSERT INTO orders (id) VALUES ($1)', [id]);
      const taskId = await this.flowrra.within(connectionOf(tx)).submit(this.mail.receipt, id);
      await tx.fetchAll('COMMIT');
      return taskId;
    } catch (error) {
      await tx.fetchAll('ROLLBACK');
      throw error;
    }
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule(
      LegacyDatabase,
      () => new LegacyDatabase(),
      (legacy) => legacy.close(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [LegacyDatabase],
      useFactory: async (legacy: LegacyDatabase) => {
        const database = connectionOf(await legacy.connect()); // used by the relay alone
        return { engine, outbox: outbox({ database }) };
      },
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
