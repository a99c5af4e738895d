import { Injectable } from '@nestjs/common';
import { Cron, CronExpression, Interval } from 'flowrra';

@Injectable()
export class Housekeeping {
  readonly done: string[] = [];

  @Cron('0 6 * * 1-5', { name: 'report', timeZone: 'Europe/Berlin' })
  async report(): Promise<void> {
    this.done.push('report');
  }

  @Cron(CronExpression.EVERY_HOUR, { name: 'backup', waitForCompletion: true })
  backup(): void {
    this.done.push('backup');
  }

  @Cron('30 15 2 * * *', { name: 'nightly', timeZone: 'America/New_York', waitForCompletion: false })
  nightly(): void {
    this.done.push('nightly');
  }

  @Cron(CronExpression.EVERY_30_SECONDS, { name: 'off', disabled: true })
  off(): void {
    this.done.push('off');
  }

  @Interval(300_000)
  poll(): void {
    this.done.push('poll');
  }

  @Interval('sync', 900_000)
  sync(): void {
    this.done.push('sync');
  }
}
