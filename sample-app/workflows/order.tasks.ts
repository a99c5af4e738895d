// sample-app/workflows/order.tasks.ts
import { Injectable } from '@nestjs/common';
import { FatalTaskError, Task, TaskContext, TaskCtx } from 'flowrra';
import { settings } from '../config/settings.js';
import { Mailer } from '../mail/mailer.js';
import { PaymentProvider } from './payment-provider.js';

export interface Order {
  readonly id: string;
  readonly email: string;
  readonly amount: number;
}

export interface Approval {
  readonly approved: boolean;
  readonly by: string;
}

@Injectable()
export class OrderTasks {
  constructor(
    private readonly payments: PaymentProvider,
    private readonly mailer: Mailer,
  ) {}

  @Task({ maxRetries: 5, retryDelay: '1s' })
  async fulfil(order: Order, @TaskCtx() ctx: TaskContext): Promise<{ charge: string; parcel: string }> {
    const charge = await ctx.step('charge', ({ key }) => this.payments.charge(order.amount, key), {
      maxRetries: 3,
      timeout: '10s',
      undo: (charge, { key }) => this.payments.refund(charge, key),
    });
    const { approved, by } = await ctx.waitFor<Approval>('approval', { timeout: '3d' });
    if (!approved) throw new FatalTaskError(`${by} has rejected the order`); // which refunds the charge
    const [label] = await Promise.all([
      ctx.call(this.printLabel, order.id),
      ctx.call(this.confirm, order.email, order.id),
    ]);
    await ctx.sleep('until the next day', settings.day);
    const parcel = await ctx.step('ship', () => `parcel with ${label}`); // in place of a carrier
    return { charge, parcel };
  }

  @Task()
  async printLabel(orderId: string): Promise<string> {
    return `label of ${orderId}`;
  }

  @Task({ maxRetries: 10, backoff: 'exponential' })
  async confirm(to: string, orderId: string): Promise<void> {
    await this.mailer.send(to, `Your order ${orderId}`, 'It leaves the warehouse tomorrow.');
  }
}
