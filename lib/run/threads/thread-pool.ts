import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MessagePort, ResourceLimits } from 'node:worker_threads';
import type { LoggerService } from '@nestjs/common';
import { Piscina } from 'piscina';
import type { Clock } from '../../job/clock.js';
import { detached } from '../../job/async.js';
import { FlowrraConfigError, TaskThreadError } from '../../job/errors.js';
import type { SubmitOptions } from '../../job/submit-options.js';
import type { HostedCall } from '../task-definition.js';
import { DurableLink } from './durable-link.js';
import type { CpuTarget, FromThread, ThreadCall, ToThread } from './protocol.js';
import { rejectBundledPackage, THREAD_ENTRY } from './thread-files.js';
import { ThreadReports } from './thread-reports.js';
import { type ThreadAnswer, unwire, unwireError, wire, wireError } from './wire.js';

/** A submission by code in a thread. */
export interface ThreadSubmission {
  readonly taskName: string;
  readonly args: unknown[];
  readonly options: SubmitOptions;
}

export interface ThreadPoolOptions {
  readonly threads: number;
  /** The `file:` URL of the threads' Nest module; `null` for none. */
  readonly module: string | null;
  readonly resourceLimits: ResourceLimits | null;
  readonly clock: Clock;
  readonly logger: LoggerService;
  submit(submission: ThreadSubmission): Promise<string>;
}

/** A call that a thread runs, or waits for. */
interface LiveCall {
  readonly call: HostedCall;
  readonly killing: Killing;
  /** The attempt's async context: submissions of the call belong to its tenant and its trace. */
  readonly within: typeof detached;
  /** `null` until the code makes a durable call. */
  link: DurableLink | null;
  settle(answer: ThreadAnswer): void;
}

/** Ends a thread whose call does not end after its abort. */
interface Killing {
  /** Whether the thread was ended. */
  readonly done: boolean;
  /** The call waits or has settled: its thread does not block. */
  spare(): void;
  cancel(): void;
}

/** The time that the applications of the threads have to close. */
const CLOSE_TIMEOUT_MS = 3_000;

/** A pool of threads, started at the first call. Each call takes one message to a thread and one back. */
export class ThreadPool {
  private pool: Piscina | null = null;
  private readonly ports = new Set<MessagePort>();
  /** By call. They are also sent to threads that start later, one of which may get the call. */
  private readonly aborts = new Map<number, ToThread>();
  private readonly reports = new ThreadReports();
  private readonly calls = new Map<number, LiveCall>();
  private readonly targetTexts = new WeakMap<CpuTarget, string>();
  private lastCall = 0;

  constructor(private readonly options: ThreadPoolOptions) {}

  async run(target: CpuTarget, call: HostedCall): Promise<unknown> {
    const pool = (this.pool ??= this.startPool());
    const { taskId, taskName, attemptNumber, submittedAt, priority, metadata, schedule, parentId } = call;
    const callId = ++this.lastCall;
    const killer = new EventEmitter();
    const message: ThreadCall = {
      callId,
      target: this.targetText(target),
      args: wire(call.args),
      taskId,
      taskName,
      attempt: attemptNumber,
      submittedAt,
      priority,
      metadata: Object.keys(metadata).length === 0 ? null : wire(metadata),
      schedule,
      parentId,
    };
    const killing = this.endAfterAbort(call, callId, killer);
    this.reports.begin(callId, call);
    let answer: ThreadAnswer;
    try {
      answer = await this.answered(pool, message, killer, { call, killing });
      if (answer.reports !== undefined) await this.reports.all(callId, answer.reports);
    } catch (error) {
      throw killing.done
        ? new TaskThreadError(
            `The thread of '${taskName}' was ended: the task had not stopped ${call.killGrace} ms after its abort.`,
            { cause: call.reason },
          )
        : threadDeath(error, taskName);
    } finally {
      this.reports.end(callId);
    }
    if ('error' in answer) throw unwireError(answer.error);
    return unwire(answer);
  }

  async close(): Promise<void> {
    const { pool } = this;
    this.pool = null;
    if (pool === null) return;
    if (this.options.module !== null) await this.closeApplications();
    await pool.destroy();
    for (const port of this.ports) port.close();
    this.ports.clear();
  }

  /** A call that has made a durable call answers while its thread stays with it, or never: as the attempt's promise does. */
  private answered(
    pool: Piscina,
    message: ThreadCall,
    signal: EventEmitter,
    about: Pick<LiveCall, 'call' | 'killing'>,
  ): Promise<ThreadAnswer> {
    return new Promise((settle, reject) => {
      const { callId } = message;
      const live: LiveCall = { ...about, within: AsyncLocalStorage.snapshot(), link: null, settle };
      this.calls.set(callId, live);
      const ended = (): void => {
        about.killing.cancel();
        this.calls.delete(callId);
      };
      pool.run(message, { signal }).then(
        (answer: ThreadAnswer) => {
          ended();
          if (live.link === null) settle(answer);
          else this.reports.end(callId);
        },
        (error: unknown) => {
          ended();
          live.link?.lost();
          reject(error);
        },
      );
    });
  }

  private targetText(target: CpuTarget): string {
    let text = this.targetTexts.get(target);
    if (text === undefined) this.targetTexts.set(target, (text = JSON.stringify(target)));
    return text;
  }

  private startPool(): Piscina {
    rejectBundledPackage('CPU-bound tasks');
    if (!existsSync(THREAD_ENTRY)) {
      throw new FlowrraConfigError(
        "CPU-bound tasks run in threads, which require compiled JavaScript files, but flowrra is loaded from TypeScript. In a test runner, set forRoot({ cpu: { mode: 'inline' } }).",
      );
    }
    const { threads, module, resourceLimits, logger } = this.options;
    const pool = new Piscina({
      filename: fileURLToPath(THREAD_ENTRY),
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: Infinity,
      recordTiming: false,
      // With 'sync', the event loop of an idle thread is blocked, and with it the clients that a module provides.
      atomics: module === null ? 'sync' : 'disabled',
      workerData: { module },
      ...(resourceLimits && { resourceLimits }),
    });
    pool.on('message', ({ flowrraPort }: { flowrraPort: MessagePort }) => this.connect(flowrraPort));
    pool.on('error', (error: unknown) =>
      logger.error(`An idle CPU thread has failed and is replaced: ${String(error)}`),
    );
    return pool;
  }

  private connect(port: MessagePort): void {
    this.ports.add(port);
    port.on('message', (message: FromThread) => {
      switch (message.kind) {
        case 'submit':
          return void this.submitFor(port, message);
        case 'progress':
        case 'log':
          return this.reports.receive(message);
        case 'closed':
          return;
        default:
          this.linkOf(message.callId, port)?.receive(message);
      }
    });
    port.on('close', () => this.ports.delete(port));
    port.unref();
    for (const abort of this.aborts.values()) port.postMessage(abort);
  }

  /** `null` for a call that has ended. */
  private linkOf(callId: number, port: MessagePort): DurableLink | null {
    const live = this.calls.get(callId);
    if (live === undefined) return null;
    const { call, within, killing, settle } = live;
    return (live.link ??= new DurableLink({
      callId,
      call,
      within,
      post: (message) => port.postMessage(message),
      suspended: () => killing.spare(),
      settled: (answer) => {
        killing.spare();
        settle(answer);
      },
    }));
  }

  private async submitFor(
    port: MessagePort,
    { request, callId, taskName, args, options }: FromThread & { kind: 'submit' },
  ): Promise<void> {
    const within = (callId !== undefined && this.calls.get(callId)?.within) || detached;
    let answer: ToThread;
    try {
      const submission = { taskName, args: unwire(args) as unknown[], options };
      const taskId = await within(() => this.options.submit(submission));
      answer = { kind: 'submitted', request, taskId };
    } catch (error) {
      answer = { kind: 'rejected', request, error: wireError(error) };
    }
    port.postMessage(answer);
  }

  /** Passes an abort on to the task's signal, and ends the thread if the task does not end within its `killGrace`. */
  private endAfterAbort(call: HostedCall, callId: number, killer: EventEmitter): Killing {
    let [isOver, isSpared] = [false, false];
    let cancelTimer = (): void => undefined;
    const killing = {
      done: false,
      spare(): void {
        isSpared = true;
        cancelTimer();
      },
      cancel: (): void => {
        isOver = true;
        cancelTimer();
        if (this.aborts.delete(callId)) this.broadcast({ kind: 'ended', callId });
      },
    };
    call.onAbort((reason) => {
      if (isOver) return;
      const abort: ToThread = { kind: 'abort', callId, reason: wireError(reason) };
      this.aborts.set(callId, abort);
      this.broadcast(abort);
      if (isSpared) return;
      cancelTimer = this.options.clock.after(call.killGrace, () => {
        killing.done = true;
        killer.emit('abort');
      });
    });
    return killing;
  }

  /** Piscina chooses the thread of a call and does not report it. Threads ignore messages about other threads' calls. */
  private broadcast(message: ToThread): void {
    for (const port of this.ports) port.postMessage(message);
  }

  private async closeApplications(): Promise<void> {
    const closed = [...this.ports].map(
      (port) =>
        new Promise<void>((resolve) => {
          port.on('message', (message: FromThread) => message.kind === 'closed' && resolve());
          port.on('close', resolve);
          port.postMessage({ kind: 'close' } satisfies ToThread);
        }),
    );
    let cancel = (): void => {};
    const timeout = new Promise<void>(
      (resolve) => (cancel = this.options.clock.after(CLOSE_TIMEOUT_MS, resolve)),
    );
    await Promise.race([Promise.all(closed), timeout]);
    cancel();
  }
}

function threadDeath(cause: unknown, taskName: string): TaskThreadError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TaskThreadError(
    `The thread of '${taskName}' ended unexpectedly: ${message}. It is replaced, and the attempt counts as failed.`,
    { cause },
  );
}
