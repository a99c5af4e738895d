import type { TaskCall } from '../task-definition.js';
import type { FromThread } from './protocol.js';
import { unwire } from './wire.js';

type Report = FromThread & { kind: 'progress' | 'log' };

interface ReportingCall {
  readonly call: TaskCall;
  received: number;
  /** Called at each report while {@link ThreadReports.all} waits. */
  onReport: (() => void) | null;
}

/**
 * Passes on the progress and log lines of calls in threads. They use another channel than the answers, so an answer
 * waits until all reports of its call have arrived.
 */
export class ThreadReports {
  private readonly calls = new Map<number, ReportingCall>();

  begin(callId: number, call: TaskCall): void {
    this.calls.set(callId, { call, received: 0, onReport: null });
  }

  end(callId: number): void {
    this.calls.delete(callId);
  }

  receive(report: Report): void {
    const reporting = this.calls.get(report.callId);
    if (reporting === undefined) return;
    if (report.kind === 'progress') reporting.call.progress(unwire(report.value));
    else reporting.call.log(report.line);
    reporting.received++;
    reporting.onReport?.();
  }

  /** Resolves when `count` reports of a call have arrived. */
  async all(callId: number, count: number): Promise<void> {
    const reporting = this.calls.get(callId);
    if (reporting === undefined || reporting.received >= count) return;
    await new Promise<void>((resolve) => {
      reporting.onReport = () => reporting.received >= count && resolve();
    });
  }
}
