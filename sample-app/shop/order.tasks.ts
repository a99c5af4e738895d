// sample-app/shop/order.tasks.ts
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from 'flowrra';
import { DataSource } from 'typeorm';
import { Mailer } from '../mail/mailer.js';
import { Item, Order, Payment } from './entities.js';

@Injectable()
export class OrderTasks {
  constructor(
    private readonly database: DataSource,
    private readonly mailer: Mailer,
  ) {}

  @Task({ maxRetries: 5, retryDelay: '200ms', backoff: 'exponential' })
  async receipt(orderId: string): Promise<{ messageId: string }> {
    const { email, item, quantity } = await this.database.manager.findOneByOrFail(Order, { id: orderId });
    return { messageId: await this.mailer.send(email, 'Your order', `${quantity} of ${item}`) };
  }

  // #region once
  @Task({ maxRetries: 5, retryDelay: '200ms', backoff: 'exponential' })
  async pay(orderId: string, @TaskCtx() ctx: TaskContext): Promise<number> {
    const { email, item, quantity } = await this.database.manager.findOneByOrFail(Order, { id: orderId });
    const amount = await this.database.transaction((tx) =>
      ctx.once(tx, async () => {
        const { price } = await tx.findOneByOrFail(Item, { name: item });
        await tx.insert(Payment, { orderId, amount: price * quantity });
        return price * quantity;
      }),
    );
    // if this fails, the retry books no second payment
    await this.mailer.send(email, 'Your payment', `We have booked ${amount}.`);
    return amount;
  }
  // #endregion
}
