import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { Pool } from 'pg';
import { databaseModule, databaseUrl } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    private readonly pool: Pool,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  async place(id: string): Promise<TaskId> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO orders (id) VALUES ($1)', [id]);
      const taskId = await this.flowrra.within(client).submit(this.mail.receipt, id);
      await client.query('COMMIT');
      return taskId;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }
}

@Module({
  imports: [
    databaseModule(
      Pool,
      () => new Pool({ connectionString: databaseUrl() }),
      (pool) => pool.end(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [Pool],
      useFactory: (database: Pool) => ({
        engine: databaseUrl(), // BullMQ over PostgreSQL, in the database of the orders
        outbox: outbox({ database, direct: true }),
      }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
