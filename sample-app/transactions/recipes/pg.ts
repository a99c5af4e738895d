// sample-app/transactions/recipes/pg.ts
import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { Pool } from 'pg';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    private readonly pool: Pool,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
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
  // #endregion
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
      useFactory: (database: Pool) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
