// sample-app/orders.ts
import { Injectable } from '@nestjs/common';
import { FlowrraService, type TaskId } from 'flowrra';
import { ReceiptTasks } from './snippets.js';

/** Stands in for an application's database: TypeORM's `DataSource`, or Prisma's client. */
@Injectable()
export class Database {
  orders: readonly string[] = [];

  /** Keeps what `work` inserts if it succeeds, and nothing of it if it throws. */
  async transaction<T>(work: (insert: (order: string) => void) => Promise<T>): Promise<T> {
    const inserted: string[] = [];
    const result = await work((order) => inserted.push(order));
    if (inserted.some((order) => this.orders.includes(order))) throw new Error('duplicate key');
    this.orders = [...this.orders, ...inserted];
    return result;
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly database: Database,
    private readonly flowrra: FlowrraService,
  ) {}

  async place(order: string): Promise<TaskId> {
    await this.database.transaction(async (insert) => {
      insert(order);
    });
    // after the commit: an order that was rolled back gets no receipt
    return this.flowrra
      .with({ taskId: `${order}-receipt` })
      .tasks(ReceiptTasks)
      .sendReceipt(order);
  }
}
