import type { ChildOptions, StepCall } from '../../job/durable-options.js';
import { TaskThreadError } from '../../job/errors.js';
import type { DurableHost, EachPosition } from '../durable/durable-calls.js';
import type { HostedCall } from '../task-definition.js';
import type {
  DurableFromThread,
  DurableRequest,
  DurableToThread,
  WiredPosition,
} from './durable-protocol.js';
import { type ThreadAnswer, unwire, unwireError, wire, type WiredAnswer, wireError } from './wire.js';

export interface DurableLinkParts {
  readonly callId: number;
  readonly call: HostedCall;
  /** Runs a function in the attempt's async context: its child jobs belong to its tenant and its trace. */
  readonly within: <R>(fn: () => R) => R;
  post(message: DurableToThread): void;
  /** The method has settled, in place of the answer of the thread, which stays with the call. */
  settled(answer: ThreadAnswer): void;
  /** The method waits and does not go on. */
  suspended(): void;
}

/** A function that the thread runs. */
interface RemoteRun {
  readonly isUndo: boolean;
  settle(answer: WiredAnswer): void;
}

/** The durable calls of one call in a thread: the rules and the journal are those of the attempt, on this thread. */
export class DurableLink {
  private readonly runs = new Map<number, RemoteRun>();
  /** By the request that opened it. */
  private readonly positions = new Map<number, EachPosition>();
  /** `null` if the engine keeps no journals, and before the first request. */
  private host: DurableHost | null = null;
  /** Ends the hold on the attempt, which lasts until the thread is quiet. */
  private release: (() => void) | null = null;
  private answers = 0;
  private lastRun = 0;
  private isLost = false;

  constructor(private readonly parts: DurableLinkParts) {}

  receive(message: DurableFromThread): void {
    switch (message.kind) {
      case 'durable':
        return void this.answer(message.request, message.call);
      case 'ran':
        return this.runs.get(message.run)?.settle(message.answer);
      case 'busy':
        return this.hold();
      case 'quiet':
        return message.received === this.answers ? this.unhold() : undefined;
      case 'settled':
        this.parts.settled(message.answer);
        // Otherwise the attempt says when it is over.
        if (this.host === null) this.post({ kind: 'over' });
    }
  }

  /** The thread has ended. A step that it was running counts as not run; one that it was undoing has failed. */
  lost(): void {
    this.isLost = true;
    this.host?.codeLost();
    for (const { isUndo, settle } of this.runs.values())
      if (isUndo) settle({ error: wireError(threadGone()) });
    this.runs.clear();
  }

  private async answer(request: number, call: DurableRequest): Promise<void> {
    let answer: WiredAnswer;
    try {
      answer = wire(
        await this.parts.within(() => {
          this.host ??= this.followed(this.parts.call.durable);
          this.hold();
          return this.perform(this.host, request, call);
        }),
      );
    } catch (error) {
      answer = { error: wireError(error) };
    }
    // In the turn in which the call has ended: the attempt is not suspended before the thread has had the answer.
    this.hold();
    this.answers++;
    this.post({ kind: 'answered', request, answer });
  }

  private followed(host: DurableHost): DurableHost {
    host.follow({
      suspended: () => this.parts.suspended(),
      over: () => this.post({ kind: 'over' }),
    });
    return host;
  }

  private async perform(host: DurableHost, request: number, call: DurableRequest): Promise<unknown> {
    switch (call.method) {
      case 'step':
        return host.step(call.name, (step) => this.run(request, step, null), this.stepOptions(request, call));
      case 'sleep':
        return host.sleep(call.name, call.until);
      case 'waitFor':
        return host.waitFor(call.name, call.options);
      case 'call':
      case 'submit':
        return host[call.method](
          unwire(call.options) as ChildOptions,
          call.taskName,
          unwire(call.args) as unknown[],
        );
      case 'openEach': {
        const position = await host.openEach(call.name);
        this.positions.set(request, position);
        const { isDone, items, cursor } = position;
        return { isDone, items, cursor } satisfies WiredPosition;
      }
      case 'storeEach':
        return this.positions.get(call.opened)?.store(call.items, call.cursor, call.isDone);
      case 'endEach':
        return this.positions.get(call.opened)?.end();
    }
  }

  private stepOptions(request: number, { options, canUndo }: DurableRequest & { method: 'step' }): unknown {
    if (!canUndo) return options;
    const undo = (result: unknown, step: StepCall): Promise<unknown> => this.run(request, step, { result });
    return { ...(options as object), undo };
  }

  /** Runs the function of a step in the thread. */
  private run(
    request: number,
    { key, attempt, signal }: StepCall,
    undone: { readonly result: unknown } | null,
  ): Promise<unknown> {
    if (this.isLost) return Promise.reject(threadGone());
    const run = ++this.lastRun;
    const abort = (): void =>
      this.post({ kind: 'abortRun', run, reason: wireError(signal.reason as unknown) });
    return new Promise<unknown>((resolve, reject) => {
      const settle = (answer: WiredAnswer): void => {
        this.runs.delete(run);
        signal.removeEventListener('abort', abort);
        if ('error' in answer) reject(unwireError(answer.error));
        else resolve(unwire(answer));
      };
      this.runs.set(run, { isUndo: undone !== null, settle });
      this.post({ kind: 'run', request, run, key, attempt, undone: undone && wire(undone.result) });
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort);
    });
  }

  private hold(): void {
    this.release ??= this.host?.hold() ?? null;
  }

  private unhold(): void {
    const { release } = this;
    this.release = null;
    release?.();
  }

  private post(
    message: DurableToThread extends infer M ? (M extends unknown ? Omit<M, 'callId'> : never) : never,
  ): void {
    if (!this.isLost) this.parts.post({ callId: this.parts.callId, ...message });
  }
}

function threadGone(): TaskThreadError {
  return new TaskThreadError('The thread of the task has ended, so none of its functions can be called.');
}
