// sample-app/transactions/recipes/drizzle-sqlite.ts
import Sqlite from 'better-sqlite3';
import { Inject, Injectable, Module } from '@nestjs/common';
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3';
import { sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

const orders = sqliteTable('orders', { id: text().primaryKey() });

type Database = BetterSQLite3Database & { $client: Sqlite.Database };

@Injectable()
export class Orders {
  constructor(
    @Inject('DRIZZLE') private readonly db: Database,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  place(id: string): TaskId {
    return this.db.transaction((tx) => {
      tx.insert(orders).values({ id }).run();
      return this.flowrra.within(tx).submitSync(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Database>(
      'DRIZZLE',
      () => drizzle(new Sqlite(databaseUrl())),
      (db) => db.$client.close(),
    ),
    FlowrraModule.forRootAsync({
      inject: ['DRIZZLE'],
      useFactory: (database: Database) => ({ engine, outbox: outbox({ database }) }),
    }),
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
