// sample-app/transactions/recipes/kysely.ts
import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

interface Tables {
  orders: { id: string };
}

@Injectable()
export class Orders {
  constructor(
    private readonly kysely: Kysely<Tables>,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.kysely.transaction().execute(async (tx) => {
      await tx.insertInto('orders').values({ id }).execute();
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Kysely<Tables>>(
      Kysely,
      () =>
        new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: databaseUrl() }) }) }),
      (kysely) => kysely.destroy(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [Kysely],
      useFactory: (database: Kysely<Tables>) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
