/**
 * Runs blocks of a job that take effect once: `ctx.once` and `ctx.onceSync`. A block and a row that tells of it are
 * committed by the same transaction.
 */
export interface OnceSource {
  /**
   * Runs the block in a transaction of the application, unless an earlier attempt of the job has committed it.
   *
   * @param transaction Of the outbox's database.
   * @returns the block's result, or that of the earlier attempt.
   */
  once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown>;
  /** The same with a library that is not asynchronous. */
  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown;
}
