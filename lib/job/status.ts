/** A job's state. A job that waits is `retrying` if it has failed before. The last three are final. */
export type TaskStatus = 'pending' | 'running' | 'retrying' | 'success' | 'failed' | 'cancelled';

const FINAL: ReadonlySet<TaskStatus> = new Set(['success', 'failed', 'cancelled']);

export function isFinal(status: TaskStatus): boolean {
  return FINAL.has(status);
}

/** The status of a job that waits: `retrying` if an attempt has failed before. */
export function waitingStatus(retries: number): 'pending' | 'retrying' {
  return retries > 0 ? 'retrying' : 'pending';
}
