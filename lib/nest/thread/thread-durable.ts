import { AsyncLocalStorage } from 'node:async_hooks';
// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import { detached } from '../../job/async.js';
import { wrong } from '../../job/check.js';
import { systemClock } from '../../job/clock.js';
import type { Duration } from '../../job/duration.js';
import { checkStepName, type ChildOptions, type StepCall } from '../../job/durable-options.js';
import type { NamedKind } from '../../job/journal/journal-record.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { CallNames, childName } from '../../run/durable/call-names.js';
import type { DurableCalls, EachPosition, EachSource } from '../../run/durable/durable-calls.js';
import { eachItems } from '../../run/durable/each-items.js';
import { assertOutsideStep, calledTooLate, insideStep } from '../../run/durable/inside-step.js';
import { LazyAbort } from '../../run/lazy-abort.js';
import type {
  DurableFromThread,
  DurableRequest,
  DurableToThread,
  WiredPosition,
} from '../../run/threads/durable-protocol.js';
import {
  type ThreadAnswer,
  unwire,
  unwireError,
  wire,
  type WiredAnswer,
  wireError,
} from '../../run/threads/wire.js';

export interface ThreadDurableParts {
  readonly callId: number;
  readonly codec: PayloadCodec;
  send(message: DurableFromThread): void;
  /** @throws {TaskNotFoundError} for a function that is no task here. */
  taskName(task: unknown): string;
  /** A signal that a synchronous function can read, too. */
  signalOf(abort: LazyAbort): AbortSignal;
}

type StepFunction = (call: StepCall) => unknown;

interface StepCode {
  readonly fn: StepFunction;
  readonly undo: ((result: unknown, call: StepCall) => unknown) | null;
  /** Runs a function in the async context of the call. */
  readonly within: typeof detached;
}

/** The durable calls of one call in a thread. The parent keeps the journal and the rules, and calls the functions here. */
export class ThreadDurable implements DurableCalls {
  private readonly requests = new Map<number, (answer: WiredAnswer) => void>();
  /** The functions of steps, by request. Those that undo a step are called after the method has ended. */
  private readonly steps = new Map<number, StepCode>();
  private readonly runs = new Map<number, LazyAbort>();
  private readonly names = new CallNames();
  private lastRequest = 0;
  private received = 0;
  /** The number of functions of `each` that run, of which the parent does not know. */
  private busy = 0;
  private isQuiet = false;
  private checking = false;
  private isOver = false;

  constructor(private readonly parts: ThreadDurableParts) {}

  async step(name: string, fn: StepFunction, options: unknown): Promise<unknown> {
    checkStepName(name, 'ctx.step() name');
    if (typeof fn !== 'function') throw wrong('ctx.step() function', fn, 'It must be a function.');
    const { undo, ...others } = (options ?? {}) as { undo?: StepCode['undo'] };
    const canUndo = typeof undo === 'function';
    const code = { fn, undo: canUndo ? undo : null, within: AsyncLocalStorage.snapshot() };
    // The parent checks the options, also those that are none.
    const given = canUndo ? others : options;
    return this.named('step', name, { method: 'step', name, options: given, canUndo }, code);
  }

  async sleep(name: string, until: Duration | Date): Promise<void> {
    await this.named('sleep', name, { method: 'sleep', name, until });
  }

  async waitFor(name: string, options: unknown): Promise<unknown> {
    assertOutsideStep(this, 'wait');
    return this.names.joined(name, () => this.request('wait', { method: 'waitFor', name, options }));
  }

  async call(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<unknown> {
    return this.child('call', options, task, args);
  }

  async submit(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<string> {
    return (await this.child('submit', options, task, args)) as string;
  }

  each(name: string, source: EachSource, options: unknown): AsyncIterable<unknown> {
    const open = (each: string): Promise<EachPosition> => this.openEach(each);
    return eachItems(name, source, options, { codec: this.parts.codec, clock: systemClock, open });
  }

  /** The method has settled. */
  settled(answer: ThreadAnswer): void {
    if (!this.isOver) this.parts.send({ kind: 'settled', callId: this.parts.callId, answer });
  }

  receive(message: DurableToThread): void {
    switch (message.kind) {
      case 'answered':
        this.received++;
        this.isQuiet = false;
        this.requests.get(message.request)?.(message.answer);
        return this.checkLater();
      case 'run': {
        const abort = new LazyAbort();
        this.runs.set(message.run, abort);
        // Later, since a synchronous function that reads its signal may have received this message.
        setImmediate(() => void this.run(message, abort));
        return;
      }
      case 'abortRun':
        return this.runs.get(message.run)?.abort(unwireError(message.reason));
      case 'over':
        this.isOver = true;
        this.requests.clear();
        this.steps.clear();
        this.runs.clear();
    }
  }

  private child(
    kind: 'call' | 'submit',
    options: ChildOptions,
    task: unknown,
    args: readonly unknown[],
  ): Promise<unknown> {
    const taskName = this.parts.taskName(task);
    const copied = wire(this.parts.codec.copyArgs(args));
    const call = { method: kind, options: wire(options), taskName, args: copied };
    return this.named(kind, childName(taskName, options.key), call);
  }

  private async openEach(name: string): Promise<EachPosition> {
    const request = this.lastRequest + 1;
    const position = (await this.named('each', name, { method: 'openEach', name })) as WiredPosition;
    return {
      ...position,
      active: (fn) => this.active(fn),
      store: async (items, cursor, isDone) => {
        await this.request('each', { method: 'storeEach', opened: request, items, cursor, isDone });
      },
      end: async () => {
        await this.request('each', { method: 'endEach', opened: request });
      },
    };
  }

  /** The parent numbers the names. Here a name is taken until the code has had the answer. */
  private async named(
    kind: NamedKind,
    base: string,
    call: DurableRequest,
    code?: StepCode,
  ): Promise<unknown> {
    assertOutsideStep(this, kind);
    return this.names.during(kind, base, () => this.request(kind, call, code));
  }

  private async request(kind: NamedKind, call: DurableRequest, code?: StepCode): Promise<unknown> {
    if (this.isOver) throw calledTooLate(kind);
    const request = ++this.lastRequest;
    this.parts.send({ kind: 'durable', callId: this.parts.callId, request, call });
    this.isQuiet = false;
    if (code !== undefined) this.steps.set(request, code);
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.requests.set(request, (answer) => {
          if ('error' in answer) reject(unwireError(answer.error));
          else resolve(unwire(answer));
        });
        this.checkLater();
      });
    } finally {
      this.requests.delete(request);
      if (code?.undo === null) this.steps.delete(request);
    }
  }

  private async run(
    { request, run, key, attempt, undone }: DurableToThread & { kind: 'run' },
    abort: LazyAbort,
  ): Promise<void> {
    const { codec, signalOf } = this.parts;
    const code = this.steps.get(request);
    if (code === undefined) return;
    const call: StepCall = {
      key,
      attempt,
      get signal() {
        return signalOf(abort);
      },
    };
    let answer: WiredAnswer;
    try {
      const { fn, undo, within } = code;
      const called = undone === null ? () => fn(call) : () => undo?.(unwire(undone), call);
      const value = await within(() => insideStep(this, async () => called()));
      answer = undone === null ? wire(codec.copyResult(value)) : { plain: undefined };
    } catch (error) {
      answer = { error: wireError(error) };
    }
    if (!this.runs.delete(run)) return;
    this.parts.send({ kind: 'ran', callId: this.parts.callId, run, answer });
  }

  /** The parent does not suspend the attempt while `fn` runs. */
  private async active<T>(fn: () => Promise<T>): Promise<T> {
    this.busy++;
    if (this.isQuiet) this.parts.send({ kind: 'busy', callId: this.parts.callId });
    this.isQuiet = false;
    try {
      return await fn();
    } finally {
      this.busy--;
      this.checkLater();
    }
  }

  /** The method's own code may make its next call when a promise of this turn settles. */
  private checkLater(): void {
    if (this.checking) return;
    this.checking = true;
    detached(() => setImmediate(() => this.check()));
  }

  /** Without a request that waits, the parent has nothing for which it would suspend the attempt. */
  private check(): void {
    this.checking = false;
    if (this.isOver || this.busy > 0 || this.requests.size === 0 || this.isQuiet) return;
    this.isQuiet = true;
    this.parts.send({ kind: 'quiet', callId: this.parts.callId, received: this.received });
  }
}
