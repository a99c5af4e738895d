import type { Metadata } from '../../job/job.js';
import type { ScheduleMark } from '../../job/metadata.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { DurableTaskError } from '../../job/durable-errors.js';
import type { DurableCalls } from '../../run/durable/durable-calls.js';
import type { LazyAbort } from '../../run/lazy-abort.js';
import type { TaskCall } from '../../run/task-definition.js';
import {
  type FromThread,
  type ThreadAnswer,
  type ThreadCall,
  unwire,
  wire,
} from '../../run/threads/protocol.js';

const NO_METADATA: Metadata = Object.freeze({});

/** A call while its code runs in the thread. It sends its progress and log lines to the parent. */
export class RunningCall implements TaskCall {
  readonly args = [];
  readonly killGrace = 0;
  private reports = 0;

  constructor(
    private readonly call: ThreadCall,
    readonly abort: LazyAbort,
    private readonly codec: PayloadCodec,
    private readonly send: (message: FromThread) => void,
  ) {}

  get taskId(): string {
    return this.call.taskId;
  }

  get taskName(): string {
    return this.call.taskName;
  }

  get attemptNumber(): number {
    return this.call.attempt;
  }

  get submittedAt(): number {
    return this.call.submittedAt;
  }

  get priority(): number {
    return this.call.priority;
  }

  get metadata(): Metadata {
    const { metadata } = this.call;
    return metadata === null ? NO_METADATA : (unwire(metadata) as Metadata);
  }

  get schedule(): ScheduleMark | undefined {
    return this.call.schedule;
  }

  get parentId(): string | null {
    return this.call.parentId;
  }

  get durable(): DurableCalls {
    throw new DurableTaskError('A task in a thread has no durable calls.');
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  get reason(): unknown {
    return this.abort.reason;
  }

  onAbort(listener: (reason: unknown) => void): void {
    this.abort.onAbort(listener);
  }

  progress(value: unknown): void {
    const copy = this.codec.copyProgress(value);
    this.reports++;
    this.send({ kind: 'progress', callId: this.call.callId, value: wire(copy) });
  }

  log(line: string): void {
    this.reports++;
    this.send({ kind: 'log', callId: this.call.callId, line: String(line) });
  }

  withReportCount(answer: ThreadAnswer): ThreadAnswer {
    return this.reports === 0 ? answer : { ...answer, reports: this.reports };
  }
}
