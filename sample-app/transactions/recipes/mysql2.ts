// sample-app/transactions/recipes/mysql2.ts
import { Inject, Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { createPool, type Pool } from 'mysql2/promise';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    @Inject('POOL') private readonly pool: Pool,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    const connection = await this.pool.getConnection();
    try {
      await connection.beginTransaction();
      await connection.execute('INSERT INTO orders (id) VALUES (?)', [id]);
      const taskId = await this.flowrra.within(connection).submit(this.mail.receipt, id);
      await connection.commit();
      return taskId;
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Pool>(
      'POOL',
      () => createPool(databaseUrl()),
      (pool) => pool.end(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: ['POOL'],
      useFactory: (database: Pool) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
