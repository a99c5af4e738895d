// sample-app/transactions/recipes/node-sqlite.ts
import { DatabaseSync } from 'node:sqlite';
import { Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    private readonly sqlite: DatabaseSync,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  place(id: string): TaskId {
    this.sqlite.exec('BEGIN IMMEDIATE');
    try {
      this.sqlite.prepare('INSERT INTO orders (id) VALUES (?)').run(id);
      const taskId = this.flowrra.within(this.sqlite).submitSync(this.mail.receipt, id);
      this.sqlite.exec('COMMIT');
      return taskId;
    } catch (error) {
      this.sqlite.exec('ROLLBACK');
      throw error;
    }
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule(
      DatabaseSync,
      () => new DatabaseSync(databaseUrl()),
      (sqlite) => sqlite.close(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [DatabaseSync],
      useFactory: (database: DatabaseSync) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
