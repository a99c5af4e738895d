import type { TaskStatus } from '../../../job/job.js';
import type { BulkConditions, BulkOperation, BulkStep } from '../../control.js';
import type { BullMqParts } from '../bullmq-parts.js';
import { cancelReasonIn, cancelText } from '../job-mapping.js';
import type { BulkAnswer, BulkSource } from '../server/bull-server.js';

/**
 * The lists of jobs to which each operation applies, with the statuses of their jobs. A job moves from `delayed` to
 * `waiting` to `active`, so that none is passed over that moves meanwhile.
 */
const SOURCES: Readonly<
  Record<BulkOperation['kind'], readonly (readonly [BulkSource, readonly TaskStatus[]])[]>
> = {
  retry: [['failed', ['failed']]],
  remove: [
    ['failed', ['failed', 'cancelled']],
    ['completed', ['success']],
  ],
  cancel: [
    ['delayed', ['pending', 'retrying', 'suspended']],
    ['prioritized', ['pending', 'retrying']],
    ['waiting', ['pending', 'retrying']],
    ['active', ['running']],
  ],
};

/**
 * The steps of an operation on many jobs: each is one call to the server.
 *
 * @param cancelled Called for each waiting job that has been cancelled.
 */
export async function* bulkSteps(
  { queues, jobs, reads, runs, fleet }: BullMqParts,
  cancelled: (taskId: string) => void,
  operation: BulkOperation,
  conditions: BulkConditions,
  dryRun: boolean,
): AsyncIterable<BulkStep> {
  const { kind } = operation;
  const text = operation.kind === 'cancel' ? cancelText(operation.reason) : '';
  /** A running job stays in its list, and a job that is told by its journal moves from list to list. */
  const signalled = new Set<string>();
  for (const queue of queues.names) {
    if (conditions.queue !== undefined && conditions.queue !== queue) continue;
    for (const source of sourcesOf(kind, conditions)) {
      let position: string | null = null;
      do {
        const call = { kind, conditions, dryRun, text, expired: queues.droppedUntil };
        const known = kind === 'cancel' ? fleet?.cancellingMany() : undefined;
        let answer: BulkAnswer;
        try {
          answer = await reads.run(() => jobs.bulk(queue, source, call, position));
          known?.(idsOf(answer));
        } catch (error) {
          known?.([]);
          throw error;
        }
        let { count } = answer;
        for (const change of answer.changes) {
          if (change.kind === 'cancelled') cancelled(change.taskId);
          if (change.kind !== 'signalled') continue;
          if (signalled.has(change.taskId)) count--;
          signalled.add(change.taskId);
          const reason = cancelReasonIn(change.text);
          if (reason !== null) runs.cancel(change.taskId, reason);
        }
        const changed = answer.changes
          .filter((change) => change.kind !== 'signalled')
          .map(({ taskId, taskName, retries, text: told }) => ({
            taskId,
            taskName,
            queue,
            retries: kind === 'retry' ? 0 : retries,
            reason: cancelReasonIn(told),
          }));
        ({ position } = answer);
        yield { count, changed };
      } while (position !== null);
    }
  }
}

function sourcesOf(kind: BulkOperation['kind'], { tag, status }: BulkConditions): readonly BulkSource[] {
  if (tag !== undefined) return ['tag'];
  return SOURCES[kind].filter(([, of]) => of.some((each) => status.includes(each))).map(([source]) => source);
}

function idsOf({ changes }: BulkAnswer): string[] {
  return changes.filter(({ kind }) => kind === 'cancelled').map(({ taskId }) => taskId);
}
