import type { IQueueBackend, Job, Queue, Worker, WorkerOptions } from 'bullmq';
import type { Kept } from '../job-mapping.js';
import type { ServerJobs } from './server-jobs.js';

/** BullMQ's classes, whichever server is behind them. */
export type AnyQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend>;
export type AnyJob = Job<unknown, unknown, string>;
export type AnyWorker = Worker<unknown, unknown, string, IQueueBackend>;
export interface AnyEvents {
  on(
    event: 'added' | 'active' | 'completed' | 'failed',
    listener: (event: { jobId: string }) => void,
  ): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}
export type AnyProcessor = ConstructorParameters<typeof Worker<unknown, unknown, string>>[1];

/**
 * What the failure of a call says about what was asked: it was not done, since it has not left this
 * process or since the server has said no; or nobody knows.
 */
export type Refusal = 'not sent' | 'refused' | 'unknown';

/** The server, and how BullMQ's classes are made for it. It owns the connections that it has made itself. */
export interface BullServer {
  /** For errors: `Redis` or `PostgreSQL`. */
  readonly name: string;
  /** Whether calls that are made one after the other are carried out so. */
  readonly ordered: boolean;
  /** How many reads it is worth having under way at a time. */
  readonly reads: number;
  /** Whether keeping no more than a number of results takes a look at all of them. */
  readonly countsSlowly: boolean;
  /**
   * Resolves when the server answers and is fit for use. To be called before anything else, and again until it resolves.
   *
   * @throws {FlowrraConfigError} if the server answers and will never do.
   */
  connect(): Promise<void>;
  /** Resolves if the server answers. */
  ping(): Promise<void>;
  refusalOf(error: unknown): Refusal;
  /** Whether an error says that the server can never hold what it was given. */
  cannotHold(error: unknown): boolean;
  /** Whether it cannot be reached, which passes. */
  isOutage(error: unknown): boolean;
  queue(name: string): AnyQueue;
  worker(name: string, processor: AnyProcessor, options: Partial<WorkerOptions>): AnyWorker;
  events(name: string): AnyEvents;
  /** @param keep How long failed jobs are kept. */
  jobs(keep: Kept, now: () => number): ServerJobs;
  close(): Promise<void>;
}
