// sample-app/transactions/recipes/mikro-orm.ts
import { Injectable, Module } from '@nestjs/common';
import { Entity, MikroORM, PrimaryKey } from '@mikro-orm/postgresql';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Entity({ tableName: 'orders' })
class Order {
  @PrimaryKey({ type: 'string' })
  id!: string;
}

@Injectable()
export class Orders {
  constructor(
    private readonly orm: MikroORM,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.orm.em.fork().transactional(async (tx) => {
      tx.create(Order, { id });
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule(
      MikroORM,
      () => MikroORM.init({ clientUrl: databaseUrl(), entities: [Order] }),
      (orm) => orm.close(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [MikroORM],
      useFactory: (database: MikroORM) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
