// sample-app/invoices/tenant.guard.ts
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { TaskExecutionContext } from 'flowrra';
import { tenant } from '../tenant.js';
import { Tenants } from './tenants.js';

/** A tenant who has been suspended since gets nothing more, neither over HTTP nor from what waits. */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(private readonly tenants: Tenants) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType<string>() === 'flowrra')
      TaskExecutionContext.create(context).getTask().log('checks the tenant');
    return !this.tenants.isSuspended(tenant.getStore());
  }
}
