import { ENDING_KEY } from '../../../../job/journal/journal-record.js';
import type { JobList } from '../bull-server.js';
import { FREED } from './dedup.js';

/**
 * Statements on BullMQ's table of jobs: https://github.com/taskforcesh/bullmq/tree/master/src/postgres/migrations.
 * Like BullMQ's own, they lock a job before its dedupe key, which prevents deadlocks. $1 is the
 * queue, and $2 the job, unless stated otherwise.
 */

/** Whether an attempt has appended to the journal of a job: only a run ends such a job. */
export const IS_JOURNALLED = `(opts @> '{"flowrraJournal": true}')`;

/** Whether a job is suspended. A job that has come due may have been started since. */
export const isSuspended = (now: string): string =>
  `(state = 'delayed' AND process_at_ms > ${now} AND opts -> 'flowrraSuspended' IS NOT DISTINCT FROM to_jsonb(process_at_ms))`;

/** $3: text, $4: now. A child job is failed by BullMQ, which informs its parent. */
export const CANCEL_WAITING = `
WITH gone AS (
  UPDATE job
     SET state = 'failed', failed_reason = COALESCE(deferred_failure, $3), deferred_failure = NULL,
         finished_at_ms = $4::bigint, process_at_ms = NULL, attempts_made = attempts_made + 1
   WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'delayed') AND parent_id IS NULL AND NOT ${IS_JOURNALLED}
  RETURNING id, dedup_id, failed_reason
), ${FREED}
SELECT failed_reason AS text,
       publish_event($1, 'failed', jsonb_build_object('jobId', id, 'failedReason', failed_reason, 'prev', 'waiting'))
  FROM gone`;

/** $3: text. */
export const CANCEL_ACTIVE = `
WITH signalled AS (
  UPDATE job SET deferred_failure = COALESCE(deferred_failure, $3)
   WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed') AND NOT ${IS_JOURNALLED}
  RETURNING deferred_failure AS text, state IN ('waiting', 'delayed') AND parent_id IS NULL AS waits
)
SELECT text, waits, false AS over, false AS journalled FROM signalled
UNION ALL
SELECT NULL, true, state IN ('completed', 'failed'), ${IS_JOURNALLED} FROM job
 WHERE queue = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM signalled)`;

/**
 * The newest failed job to delete: $2: the number of failed jobs to keep, $3: the time at which kept jobs have ended
 * at least. BullMQ's function `apply_retention` compares each failed job with all that are kept, and deletes all at once.
 */
export const NEWEST_TO_TRIM = `
(SELECT finished_at_ms AS at, seq FROM job
  WHERE queue = $1 AND state = 'failed' ORDER BY finished_at_ms DESC, seq DESC OFFSET $2 LIMIT 1)
UNION ALL
SELECT $3::bigint, ${Number.MAX_SAFE_INTEGER}
 ORDER BY at DESC, seq DESC LIMIT 1`;

/** Deletes failed jobs up to that of {@link NEWEST_TO_TRIM}. $2: its time, $3: its `seq`, $4: the most jobs. */
export const TRIM = `
WITH old AS MATERIALIZED (
  SELECT id FROM job
   WHERE queue = $1 AND state = 'failed' AND finished_at_ms <= $2::bigint AND (finished_at_ms < $2::bigint OR seq <= $3::bigint)
   ORDER BY finished_at_ms LIMIT $4
), locked AS (
  SELECT id FROM job
   WHERE queue = $1 AND id = ANY (ARRAY(SELECT id FROM old)) AND state = 'failed'
   ORDER BY id FOR UPDATE SKIP LOCKED
)
DELETE FROM job WHERE queue = $1 AND id = ANY (ARRAY(SELECT id FROM locked)) RETURNING id`;

/** $1: queues, $2: jobs. */
const GIVEN = `unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (queue, id, n)
  LEFT JOIN job ON job.queue = given.queue AND job.id = given.id`;

export const CANCEL_TEXTS = `
SELECT COALESCE(deferred_failure, opts ->> 'flowrraCancel') AS text FROM ${GIVEN} ORDER BY n`;

export const SUBMISSIONS = `
SELECT CASE WHEN job.id IS NOT NULL THEN COALESCE(opts ->> 'submission', '') END AS submission
  FROM ${GIVEN} ORDER BY n`;

/** $3: now. */
export const DELAYS = `
SELECT CASE WHEN state = 'delayed' THEN process_at_ms END AS due, ${isSuspended('$3::bigint')} AS suspended
  FROM ${GIVEN} ORDER BY n`;

/** $2: the beginning of a cancelled job's failure text. */
export const COUNT_CANCELLED = `
SELECT count(*) FROM job WHERE queue = $1 AND state = 'failed' AND starts_with(failed_reason, $2)`;

/** $3: token. BullMQ keeps options that it does not know. */
export const COUNT_START = `
UPDATE job
   SET opts = jsonb_set(opts, '{flowrraStarts}', to_jsonb(COALESCE((opts ->> 'flowrraStarts')::integer, 0) + 1))
 WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
RETURNING (opts ->> 'flowrraStarts')::integer - 1 AS counted`;

export const REMOVE = `
WITH gone AS (
  DELETE FROM job WHERE queue = $1 AND id = $2 AND state IN ('completed', 'failed')
  RETURNING id, dedup_id, state
), ${FREED}
SELECT publish_event($1, 'removed', jsonb_build_object('jobId', id, 'prev', state)) FROM gone`;

/** $2: ids, $3: the latest time of finishing. It locks jobs in the order of their ids, which prevents deadlocks. */
export const DROP_FINISHED = `
WITH old AS (
  SELECT id FROM job
   WHERE queue = $1 AND id = ANY($2::text[]) AND state IN ('completed', 'failed') AND finished_at_ms <= $3::bigint
   ORDER BY id FOR UPDATE
), gone AS (
  DELETE FROM job USING old WHERE job.queue = $1 AND job.id = old.id
  RETURNING job.id, job.dedup_id
), ${FREED}
SELECT count(*) FROM gone`;

/** $3: the beginning of a cancelled job's failure text, $4: now. */
export const RETRY = `
WITH retried AS (
  UPDATE job
     SET state = 'waiting', seq = nextval('job_seq'), process_at_ms = NULL, processed_at_ms = NULL,
         finished_at_ms = NULL, return_value = NULL, failed_reason = NULL, stacktrace = NULL,
         deferred_failure = NULL, attempts_made = 0, stalled_count = 0, progress = DEFAULT, opts = opts - 'flowrraStarts' - 'flowrraCancel'
   WHERE queue = $1 AND id = $2 AND state = 'failed' AND starts_with(COALESCE(failed_reason, ''), $3) IS FALSE
  RETURNING id, dedup_id, opts
), held AS (
  INSERT INTO dedup (queue, dedup_id, job_id)
  SELECT $1, dedup_id, id FROM retried
   WHERE dedup_id IS NOT NULL AND opts -> 'deduplication' ->> 'ttl' IS NULL
  ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = EXCLUDED.job_id, expire_at_ms = NULL
   WHERE dedup.expire_at_ms <= $4::bigint
), forgotten AS (
  DELETE FROM flowrra_journal
   WHERE queue = $1 AND key = '${ENDING_KEY}' AND job_id IN (SELECT id FROM retried WHERE opts ? 'flowrraJournal')
)
SELECT pg_notify('bullmq_jobs', $1), publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'failed'))
  FROM retried`;

const listed = (state: string, order: string): string =>
  `SELECT id FROM job WHERE queue = $1 AND state = ${state} ORDER BY ${order} OFFSET $2 LIMIT $3`;

/** $2: offset, $3: count. */
export const LISTS: Readonly<Record<JobList, string>> = {
  active: listed("'active'", 'seq'),
  waiting: listed("'waiting' AND priority = 0", 'seq'),
  prioritized: listed("'waiting' AND priority > 0", 'priority, seq'),
  delayed: listed("'delayed'", 'process_at_ms, seq'),
  // Jobs that have been suspended, too.
  suspended: listed("'delayed' AND opts ? 'flowrraSuspended'", 'process_at_ms, seq'),
  failed: listed("'failed'", 'finished_at_ms DESC, seq DESC'),
  completed: listed("'completed'", 'finished_at_ms DESC, seq DESC'),
};
