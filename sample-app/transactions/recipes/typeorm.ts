// sample-app/transactions/recipes/typeorm.ts
import { Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { DataSource, Entity, PrimaryColumn } from 'typeorm';
import { databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Entity('orders')
class Order {
  @PrimaryColumn('varchar')
  id!: string;
}

@Injectable()
export class Orders {
  constructor(
    private readonly database: DataSource,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.database.transaction(async (tx) => {
      await tx.insert(Order, { id });
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({ type: 'postgres', url: databaseUrl(), entities: [Order] }),
    }),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [DataSource],
      useFactory: (database: DataSource) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
