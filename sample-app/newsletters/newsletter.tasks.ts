// sample-app/newsletters/newsletter.tasks.ts
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from 'flowrra';
import { Mailer } from '../mail/mailer.js';

/** The mail server asks for no more than 20 a second. */
const BETWEEN_MAILS_MS = 50;

@Injectable()
export class NewsletterTasks {
  constructor(private readonly mailer: Mailer) {}

  /** Reports its progress after each mail, and ends when its signal is aborted. */
  @Task({ queue: 'newsletters', maxRetries: 0 })
  async send(subject: string, to: string[], @TaskCtx() ctx: TaskContext): Promise<{ sent: number }> {
    for (const [sent, subscriber] of to.entries()) {
      ctx.progress({ sent, of: to.length });
      await this.mailer
        .send(subscriber, subject, 'What is new.')
        .catch((error: unknown) => ctx.log(`${subscriber}: ${String(error)}`));
      await pause(BETWEEN_MAILS_MS, undefined, { signal: ctx.signal });
    }
    ctx.progress({ sent: to.length, of: to.length });
    return { sent: to.length };
  }
}
