// sample-app/mail/email.tasks.ts
import { Injectable } from '@nestjs/common';
import { FatalTaskError, Task, TaskContext, TaskCtx } from 'flowrra';
import { Mailer } from './mailer.js';

@Injectable()
export class EmailTasks {
  constructor(private readonly mailer: Mailer) {}

  @Task({ maxRetries: 5, retryDelay: '200ms', backoff: 'exponential', timeout: '30s' })
  async sendWelcome(to: string, name: string, @TaskCtx() ctx: TaskContext): Promise<{ messageId: string }> {
    // Nobody receives mail at a reserved domain, however often it is tried.
    if (to.endsWith('@invalid.test')) throw new FatalTaskError(`${to} cannot exist`);
    // A mail server that is down for a moment, to show what a retry looks like.
    if (to.endsWith('@flaky.test') && ctx.attempt <= 2) throw new Error('421 service not available');
    return { messageId: await this.mailer.send(to, 'Welcome', `Hello ${name}, good to have you here.`) };
  }
}
