import { Injectable } from '@nestjs/common';
import {
  type DeadLetter,
  FatalTaskError,
  SnoozeTaskError,
  Task,
  TaskContext,
  TaskCtx,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import type { Beds } from './engine-under-test.js';

/** Tasks that end in every way, for whoever looks at their jobs afterwards. */
@Injectable()
export class Mixed {
  readonly letters: DeadLetter[] = [];
  readonly gate = new Gate();
  healed = false;
  attempts = 0;

  @Task()
  fine(n: number): number {
    return n;
  }

  @Task({ queue: 'other', maxRetries: 1, retryDelay: 10 })
  broken(order: { id: number }): string {
    this.attempts++;
    if (!this.healed) throw new TypeError(`order ${order.id} is broken`);
    return 'healed';
  }

  @Task({ maxRetries: 0 })
  halfway(@TaskCtx() ctx: TaskContext): void {
    ctx.progress(0.5);
    ctx.log('halfway');
    throw new Error('no further');
  }

  @Task({ retryDelay: 10 })
  failsThenSnoozes(@TaskCtx() { attempt }: TaskContext): void {
    throw attempt === 1 ? new Error('not yet') : new SnoozeTaskError('1h');
  }

  @Task()
  async hold(): Promise<void> {
    await this.gate.passed;
  }

  @Task({ maxRetries: 1, retryDelay: 10, deadLetter: 'Mixed.receive' })
  dies(order: { id: number }): void {
    throw new Error(`order ${order.id} is lost`);
  }

  @Task({ deadLetter: 'Mixed.receive' })
  receive(letter: DeadLetter): void {
    this.letters.push(letter);
    if (letter.taskName === 'Mixed.fatal') throw new FatalTaskError('cannot be received');
  }

  @Task({ deadLetter: 'Mixed.receive' })
  fatal(): void {
    throw new FatalTaskError('for good');
  }
}

/** An application with these tasks, some of which go through the queue `other`. */
export async function startMixed(beds: Beds, options: Parameters<Beds['start']>[1] = {}) {
  const bed = await beds.start([Mixed], { queues: { other: { concurrency: 4 } }, ...options });
  return { ...bed, mixed: bed.app.get(Mixed) };
}
