// sample-app/transactions/recipes/knex.ts
import { Inject, Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import knex, { type Knex } from 'knex';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    @Inject('KNEX') private readonly knex: Knex,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.knex.transaction(async (tx) => {
      await tx('orders').insert({ id });
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Knex>(
      'KNEX',
      () => knex({ client: 'pg', connection: databaseUrl() }),
      (database) => database.destroy(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: ['KNEX'],
      useFactory: (database: Knex) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
