import { Module } from '@nestjs/common';
import { FlowrraModule } from 'flowrra';
import { MailModule } from '../mail/mail.module.js';
import { OrderTasks } from './order.tasks.js';
import { OrdersController } from './orders.controller.js';
import { PaymentProvider } from './payment-provider.js';
import { PriceImportTasks } from './price-import.tasks.js';
import { Prices } from './prices.js';
import { WordCountTasks } from './word-count.tasks.js';

/** Durable tasks. */
@Module({
  imports: [MailModule, FlowrraModule.forFeature({ queues: { imports: { concurrency: 8 } } })],
  controllers: [OrdersController],
  providers: [OrderTasks, PaymentProvider, PriceImportTasks, Prices, WordCountTasks],
})
export class WorkflowsModule {}
