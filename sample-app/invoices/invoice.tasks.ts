// sample-app/invoices/invoice.tasks.ts
import { Injectable, UseGuards, UseInterceptors, UsePipes, ValidationPipe } from '@nestjs/common';
import { Task } from 'flowrra';
import { Mailer } from '../mail/mailer.js';
import { tenant } from '../tenant.js';
import { InvoiceDto } from './invoice.dto.js';
import { TenantGuard } from './tenant.guard.js';
import { TimingInterceptor } from './timing.interceptor.js';

@Injectable()
@UseInterceptors(TimingInterceptor)
export class InvoiceTasks {
  constructor(private readonly mailer: Mailer) {}

  @UseGuards(TenantGuard)
  @UsePipes(new ValidationPipe({ transform: true, whitelist: true }))
  @Task({ retryDelay: '1m' })
  async send(invoice: InvoiceDto): Promise<{ messageId: string }> {
    const from = tenant.getStore() ?? 'us';
    return { messageId: await this.mailer.send(invoice.to, `From ${from}`, invoice.text) };
  }
}
