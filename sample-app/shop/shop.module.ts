// sample-app/shop/shop.module.ts
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FlowrraExceptionFilter, FlowrraModule } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { MailModule } from '../mail/mail.module.js';
import { TasksModule } from '../tasks/tasks.module.js';
import { Item, Order, Payment } from './entities.js';
import { OrderTasks } from './order.tasks.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

@Module({
  controllers: [OrdersController],
  providers: [OrdersService, OrderTasks, { provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
})
export class ShopModule {
  /**
   * @param engine The URL of the engine, which may be another server than the database.
   * @param database The database of the orders. A shop with many customers needs PostgreSQL, MySQL or MariaDB: over
   * SQLite, TypeORM has one connection for all requests, so that their transactions are not apart from each other.
   */
  static over(engine: string, database: DataSourceOptions): DynamicModule {
    return {
      module: ShopModule,
      imports: [
        // #region module
        TypeOrmModule.forRoot({ ...database, entities: [Item, Order, Payment], synchronize: true }),
        FlowrraModule.forRootAsync({
          inject: [DataSource],
          useFactory: (database: DataSource) => ({ engine, outbox: outbox({ database }) }),
        }),
        // #endregion
        MailModule,
        TasksModule,
      ],
    };
  }
}
