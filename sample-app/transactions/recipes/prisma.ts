// sample-app/transactions/recipes/prisma.ts
import { Injectable, Module } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { outbox } from 'flowrra/outbox';
import { databaseModule, databaseUrl, engine } from '../database.module.js';
import { PrismaClient } from '../generated/prisma/client.js';
import { MailTasks } from '../mail.tasks.js';

@Injectable()
export class Orders {
  constructor(
    private readonly prisma: PrismaClient,
    private readonly flowrra: FlowrraService,
    private readonly mail: MailTasks,
  ) {}

  // #region place
  async place(id: string): Promise<TaskId> {
    return this.prisma.$transaction(async (tx) => {
      await tx.order.create({ data: { id } });
      return this.flowrra.within(tx).submit(this.mail.receipt, id);
    });
  }
  // #endregion
}

@Module({
  imports: [
    databaseModule(
      PrismaClient,
      () => new PrismaClient({ adapter: new PrismaPg({ connectionString: databaseUrl() }) }),
      (prisma) => prisma.$disconnect(),
    ),
    // #region module
    FlowrraModule.forRootAsync({
      inject: [PrismaClient],
      useFactory: (database: PrismaClient) => ({ engine, outbox: outbox({ database }) }),
    }),
    // #endregion
  ],
  providers: [Orders, MailTasks],
})
export class RecipeModule {}
