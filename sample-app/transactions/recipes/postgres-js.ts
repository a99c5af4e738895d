// sample-app/transactions/recipes/postgres-js.ts
import { Inject, Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import postgres, { type Sql } from 'postgres';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    @Inject('SQL') private readonly sql: Sql,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.sql.begin(async (sql) => {
      await sql`INSERT INTO orders (id) VALUES (${id})`;
      return this.flowrra.within(sql).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Sql>(
      'SQL',
      () => postgres(databaseUrl(), { onnotice: () => undefined }),
      (sql) => sql.end(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: ['SQL'],
      useFactory: (database: Sql) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
