import { type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { MailModule } from '../mail/mail.module.js';
import { tenant } from '../tenant.js';
import { InvoiceTasks } from './invoice.tasks.js';
import { InvoicesController } from './invoices.controller.js';
import { Tenants } from './tenants.js';

interface Request {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

@Module({
  imports: [MailModule],
  controllers: [InvoicesController],
  providers: [InvoiceTasks, Tenants],
  exports: [Tenants],
})
export class InvoicesModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply(({ headers }: Request, _response: unknown, next: () => void) =>
        tenant.run(String(headers['x-tenant'] ?? 'us'), next),
      )
      .forRoutes(InvoicesController);
  }
}
