// sample-app/transactions/recipes/better-sqlite3.ts
import Sqlite from 'better-sqlite3';
import { Inject, Injectable, Module } from '@nestjs/common';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    @Inject('SQLITE') private readonly sqlite: Sqlite.Database,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  place(id: string): TaskId {
    const transaction = this.sqlite.transaction(() => {
      this.sqlite.prepare('INSERT INTO orders (id) VALUES (?)').run(id);
      return this.flowrra.within(this.sqlite).submitSync(this.mail.receipt, id);
    });
    return transaction();
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule<Sqlite.Database>(
      'SQLITE',
      () => new Sqlite(databaseUrl()),
      (sqlite) => sqlite.close(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: ['SQLITE'],
      useFactory: (database: Sqlite.Database) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
