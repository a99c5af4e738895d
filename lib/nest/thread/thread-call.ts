import type { Metadata } from '../../job/job.js';
import type { ScheduleMark } from '../../job/metadata.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { TaskSuspendedError } from '../../job/durable-errors.js';
import { LazyAbort } from '../../run/lazy-abort.js';
import type { OnceSource } from '../../run/once-source.js';
import type { TaskCall } from '../../run/task-definition.js';
import type { DurableToThread } from '../../run/threads/durable-protocol.js';
import type { FromThread, ThreadCall } from '../../run/threads/protocol.js';
import { type ThreadAnswer, unwire, wire } from '../../run/threads/wire.js';
import { ThreadDurable, type ThreadDurableParts } from './thread-durable.js';

const NO_METADATA: Metadata = Object.freeze({});

export interface RunningCallParts extends Omit<ThreadDurableParts, 'callId' | 'codec' | 'send'> {
  readonly codec: PayloadCodec;
  send(message: FromThread): void;
  /** @throws {FlowrraConfigError} if the application of the thread has no outbox. */
  once(): OnceSource;
}

/** The answer of a call whose method does not go on. The parent does not read it. */
const OVER: ThreadAnswer = { plain: undefined };

/** A call while its code runs in the thread. It sends its progress and log lines to the parent. */
export class RunningCall implements TaskCall {
  readonly args = [];
  readonly killGrace = 0;
  readonly abort = new LazyAbort();
  private reports = 0;
  /** `null` until the code makes a durable call. From then on the parent ends the call. */
  private calls: ThreadDurable | null = null;
  private finish: ((answer: ThreadAnswer) => void) | null = null;

  constructor(
    private readonly call: ThreadCall,
    private readonly parts: RunningCallParts,
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

  /** @throws {FlowrraConfigError} if the application of the thread has no outbox. */
  get once(): OnceSource {
    return this.parts.once();
  }

  get durable(): ThreadDurable {
    return (this.calls ??= new ThreadDurable({ ...this.parts, callId: this.call.callId }));
  }

  /** Whether the code has made a durable call. */
  get isDurable(): boolean {
    return this.calls !== null;
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
    const copy = this.parts.codec.copyProgress(value);
    this.reports++;
    this.parts.send({ kind: 'progress', callId: this.call.callId, value: wire(copy) });
  }

  log(line: string): void {
    this.reports++;
    this.parts.send({ kind: 'log', callId: this.call.callId, line: String(line) });
  }

  receive(message: DurableToThread): void {
    this.calls?.receive(message);
    if (message.kind !== 'over') return;
    this.abort.abort(
      new TaskSuspendedError('The job is suspended: its method waits, and goes on in a later attempt.'),
    );
    this.finish?.(OVER);
  }

  /** The answer of the thread: that of the method, or once the parent has ended a call that uses durable calls. */
  answered(settled: ThreadAnswer | Promise<ThreadAnswer>): ThreadAnswer | Promise<ThreadAnswer> {
    if (!(settled instanceof Promise) && this.calls === null) return this.withReportCount(settled);
    return new Promise((resolve) => {
      this.finish = resolve;
      void Promise.resolve(settled).then((value) => {
        const answer = this.withReportCount(value);
        if (this.calls === null) resolve(answer);
        else this.calls.settled(answer);
      });
    });
  }

  private withReportCount(answer: ThreadAnswer): ThreadAnswer {
    return this.reports === 0 ? answer : { ...answer, reports: this.reports };
  }
}
