import type { TaskCall } from '../task-definition.js';
import { type FromThread, unwire } from './protocol.js';

type Report = FromThread & { kind: 'progress' | 'log' };

interface Reporting {
  readonly call: TaskCall;
  received: number;
  /** Called at each report, while somebody waits for the last one. */
  onReceived: (() => void) | null;
}

/**
 * Hands on what calls in threads say of themselves. That comes through another channel than their
 * answers, and an answer is not to overtake it.
 */
export class ThreadReports {
  private readonly calls = new Map<number, Reporting>();

  begin(callId: number, call: TaskCall): void {
    this.calls.set(callId, { call, received: 0, onReceived: null });
  }

  end(callId: number): void {
    this.calls.delete(callId);
  }

  hear(report: Report): void {
    const reporting = this.calls.get(report.callId);
    if (reporting === undefined) return;
    if (report.kind === 'progress') reporting.call.progress(unwire(report.value));
    else reporting.call.log(report.line);
    reporting.received++;
    reporting.onReceived?.();
  }

  /** Resolves when `count` reports of a call have been received. */
  async all(callId: number, count: number): Promise<void> {
    const reporting = this.calls.get(callId);
    if (reporting === undefined || reporting.received >= count) return;
    await new Promise<void>((resolve) => {
      reporting.onReceived = () => reporting.received >= count && resolve();
    });
  }
}
