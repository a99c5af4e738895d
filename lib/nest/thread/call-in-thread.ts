import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import type { Metadata } from '../../job/job.js';
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

/** One call, as its code in the thread sees it. What it says of itself goes to the parent. */
export class CallInThread implements TaskCall {
  readonly args = [];
  readonly killGrace = 0;
  private reports = 0;

  constructor(
    private readonly call: ThreadCall,
    readonly abort: LazyAbort,
    private readonly codec: PayloadCodec,
    private readonly tell: (message: FromThread) => void,
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
    this.tell({ kind: 'progress', callId: this.call.callId, value: wire(copy) });
  }

  log(line: string): void {
    this.reports++;
    this.tell({ kind: 'log', callId: this.call.callId, line: String(line) });
  }

  countReports(answer: ThreadAnswer): ThreadAnswer {
    return this.reports === 0 ? answer : { ...answer, reports: this.reports };
  }
}
