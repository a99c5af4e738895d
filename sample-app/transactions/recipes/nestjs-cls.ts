// sample-app/transactions/recipes/nestjs-cls.ts
import { Injectable, Module } from '@nestjs/common';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { ClsModule } from 'nestjs-cls';
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
    private readonly txHost: TransactionHost<TransactionalAdapterTypeOrm>,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  @Transactional()
  async place(id: string): Promise<TaskId> {
    await this.txHost.tx.getRepository(Order).insert({ id });
    return this.flowrra.submit(this.mail.receipt, id); // takes part in the transaction
  }
  // #endregion
}

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      useFactory: () => ({ type: 'postgres', url: databaseUrl(), entities: [Order] }),
    }),
    // #region module
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() }),
        }),
      ],
    }),
    FlowrraModule.forRootAsync({
      inject: [DataSource, TransactionHost],
      useFactory: (database: DataSource, txHost: TransactionHost<TransactionalAdapterTypeOrm>) => ({
        engine,
        outbox: outbox({ database, transaction: () => txHost.tx }),
      }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
