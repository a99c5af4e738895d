// sample-app/transactions/recipes/drizzle.ts
import { Inject, Injectable, Module } from '@nestjs/common';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { Pool } from 'pg';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

const orders = pgTable('orders', { id: text().primaryKey() });

type Database = NodePgDatabase & { $client: Pool };

@Injectable()
export class Orders {
  constructor(
    @Inject('DRIZZLE') private readonly db: Database,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.db.transaction(async (tx) => {
      await tx.insert(orders).values({ id });
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Database>(
      'DRIZZLE',
      () => drizzle(new Pool({ connectionString: databaseUrl() })),
      (db) => db.$client.end(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: ['DRIZZLE'],
      useFactory: (database: Database) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
