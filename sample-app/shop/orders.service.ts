// sample-app/shop/orders.service.ts
import { randomUUID } from 'node:crypto';
import { ConflictException, Injectable, type OnModuleInit } from '@nestjs/common';
import { FlowrraService, type TaskId } from 'flowrra';
import { DataSource, type EntityManager, MoreThanOrEqual } from 'typeorm';
import { Item, Order, Payment } from './entities.js';
import { OrderTasks } from './order.tasks.js';

export type NewOrder = Pick<Order, 'email' | 'item' | 'quantity'>;

export interface Placed {
  orderId: string;
  /** The jobs that send the receipt and book the payment. */
  taskIds: TaskId[];
}

@Injectable()
export class OrdersService implements OnModuleInit {
  constructor(
    private readonly database: DataSource,
    private readonly flowrra: FlowrraService,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.database.manager.upsert(Item, { name: 'tea', stock: 10, price: 4 }, ['name']);
  }

  // #region place
  place({ email, item, quantity }: NewOrder): Promise<Placed> {
    return this.database.transaction(async (tx) => {
      const { id } = await tx.save(Order, { id: randomUUID(), email, item, quantity });
      const tasks = this.flowrra.within(tx).tasks(OrderTasks);
      const taskIds = [await tasks.receipt(id), await tasks.pay(id)];
      // if this throws, there is neither an order nor a job
      await this.takeFromStock(tx, item, quantity);
      return { orderId: id, taskIds };
    });
  }
  // #endregion

  async find(id: string): Promise<{ order: Order | null; payments: Payment[] }> {
    const { manager } = this.database;
    return {
      order: await manager.findOneBy(Order, { id }),
      payments: await manager.findBy(Payment, { orderId: id }),
    };
  }

  private async takeFromStock(tx: EntityManager, name: string, quantity: number): Promise<void> {
    const { affected } = await tx.decrement(
      Item,
      { name, stock: MoreThanOrEqual(quantity) },
      'stock',
      quantity,
    );
    if (affected !== 1) throw new ConflictException(`There are not ${quantity} of ${name} left.`);
  }
}
