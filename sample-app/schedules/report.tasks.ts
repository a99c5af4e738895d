// sample-app/schedules/report.tasks.ts
import { Injectable } from '@nestjs/common';
import { Cron, Interval, Task, TaskContext, TaskCtx } from 'flowrra';

@Injectable()
export class ReportTasks {
  readonly reports: string[] = [];

  /** On working days at 6 o'clock in Berlin. After an outage, one report makes up for the missed ones. */
  @Cron('0 6 * * 1-5', { timezone: 'Europe/Berlin', missed: 'once' })
  @Task({ maxRetries: 5, retryDelay: '1m' })
  async daily(@TaskCtx() { schedule }: TaskContext): Promise<string> {
    const day = schedule?.at ?? new Date(); // null for a job that was submitted otherwise
    const report = `report of ${day.toISOString().slice(0, 10)}`;
    this.reports.push(report);
    return report;
  }

  @Interval('15m')
  removeOld(): void {
    this.reports.splice(0, this.reports.length - 100);
  }
}
