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
import type { TaskCall } from '../task-definition.js';
import type { CpuTarget } from './protocol.js';
import { rejectBundledPackage, THREAD_ENTRY } from './thread-files.js';
import { ThreadReports } from './thread-reports.js';
import {
  type FromThread,
  type ThreadAnswer,
  type ThreadCall,
  type ToThread,
  unwire,
  unwireError,
  wire,
  wireError,
} from './protocol.js';

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

/** The time that the applications of the threads have to close. */
const CLOSE_TIMEOUT_MS = 3_000;

/** A pool of threads, started at the first call. Each call takes one message to a thread and one back. */
export class ThreadPool {
  private pool: Piscina | null = null;
  private readonly ports = new Set<MessagePort>();
  /** By call. They are also sent to threads that start later, one of which may get the call. */
  private readonly aborts = new Map<number, ToThread>();
  private readonly reports = new ThreadReports();
  /** The async context of each call that may submit: its submissions belong to its tenant and its trace. */
  private readonly contexts = new Map<number, typeof detached>();
  private readonly targetTexts = new WeakMap<CpuTarget, string>();
  private lastCall = 0;

  constructor(private readonly options: ThreadPoolOptions) {}

  async run(target: CpuTarget, call: TaskCall): Promise<unknown> {
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
    const killed = this.endAfterAbort(call, callId, killer);
    this.reports.begin(callId, call);
    if (this.options.module !== null) this.contexts.set(callId, AsyncLocalStorage.snapshot());
    let answer: ThreadAnswer;
    try {
      answer = (await pool.run(message, { signal: killer })) as ThreadAnswer;
      if (answer.reports !== undefined) await this.reports.all(callId, answer.reports);
    } catch (error) {
      throw killed.done
        ? new TaskThreadError(
            `The thread of '${taskName}' was ended: the task had not stopped ${call.killGrace} ms after its abort.`,
            { cause: call.reason },
          )
        : threadDeath(error, taskName);
    } finally {
      killed.cancel();
      this.reports.end(callId);
      this.contexts.delete(callId);
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
      if (message.kind === 'submit') void this.submitFor(port, message);
      else if (message.kind !== 'closed') this.reports.receive(message);
    });
    port.on('close', () => this.ports.delete(port));
    port.unref();
    for (const abort of this.aborts.values()) port.postMessage(abort);
  }

  private async submitFor(
    port: MessagePort,
    { request, callId, taskName, args, options }: FromThread & { kind: 'submit' },
  ): Promise<void> {
    const within = (callId !== undefined && this.contexts.get(callId)) || detached;
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
  private endAfterAbort(
    call: TaskCall,
    callId: number,
    killer: EventEmitter,
  ): { readonly done: boolean; cancel(): void } {
    let ended = false;
    let cancelTimer: (() => void) | null = null;
    const state = {
      done: false,
      cancel: (): void => {
        ended = true;
        if (cancelTimer === null) return;
        cancelTimer();
        this.aborts.delete(callId);
        this.broadcast({ kind: 'ended', callId });
      },
    };
    call.onAbort((reason) => {
      if (ended) return;
      const abort: ToThread = { kind: 'abort', callId, reason: wireError(reason) };
      this.aborts.set(callId, abort);
      this.broadcast(abort);
      cancelTimer = this.options.clock.after(call.killGrace, () => {
        state.done = true;
        killer.emit('abort');
      });
    });
    return state;
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
