import type { JobList } from './server-jobs.js';

/**
 * On BullMQ's tables: https://github.com/taskforcesh/bullmq/tree/master/src/postgres/migrations. They
 * lock a job before its key, as BullMQ does, so that nobody waits in a circle. $1 is the queue, and
 * mostly $2 the job.
 */
const FREED = `freed AS (
  DELETE FROM dedup USING gone
   WHERE dedup.queue = $1 AND dedup.dedup_id = gone.dedup_id AND dedup.job_id = gone.id AND dedup.expire_at_ms IS NULL
)`;

/** $3: text, $4: now. That a child has failed is for BullMQ to tell its parent. */
export const CANCEL_WAITING = `
WITH gone AS (
  UPDATE job
     SET state = 'failed', failed_reason = COALESCE(deferred_failure, $3), deferred_failure = NULL,
         finished_at_ms = $4::bigint, process_at_ms = NULL, attempts_made = attempts_made + 1
   WHERE queue = $1 AND id = $2 AND state IN ('waiting', 'delayed') AND parent_id IS NULL
  RETURNING id, dedup_id, failed_reason
), ${FREED}
SELECT failed_reason AS text,
       publish_event($1, 'failed', jsonb_build_object('jobId', id, 'failedReason', failed_reason, 'prev', 'waiting'))
  FROM gone`;

/** $3: text. */
export const CANCEL_ACTIVE = `
WITH told AS (
  UPDATE job SET deferred_failure = COALESCE(deferred_failure, $3)
   WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed')
  RETURNING deferred_failure AS text, state IN ('waiting', 'delayed') AND parent_id IS NULL AS waits
)
SELECT text, waits, false AS over FROM told
UNION ALL
SELECT NULL, false, true FROM job WHERE queue = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM told)`;

/** $3: now, $4: seconds, $5: how many. */
export const TRIM = `SELECT apply_retention($1, $2, 'failed', $3::bigint, false, $4::bigint, $5::integer)`;

const GIVEN = `unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (queue, id, n)
  LEFT JOIN job ON job.queue = given.queue AND job.id = given.id`;

export const REQUESTED = `SELECT deferred_failure AS text FROM ${GIVEN} ORDER BY n`;

export const DUE_TIMES = `
SELECT CASE WHEN state = 'delayed' THEN process_at_ms END AS due FROM ${GIVEN} ORDER BY n`;

/** $2: what the text of a cancelled job begins with. */
export const COUNT_CANCELLED = `
SELECT count(*) FROM job WHERE queue = $1 AND state = 'failed' AND starts_with(failed_reason, $2)`;

/** $3: token, $4: progress or NULL, $5: rows, $6: how many rows are kept. */
export const REPORT = `
WITH own AS (
  UPDATE job SET progress = COALESCE($4::jsonb, progress)
   WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
  RETURNING id
), last AS (
  SELECT COALESCE(max(idx), -1) AS idx FROM job_log WHERE queue = $1 AND job_id = $2
), kept AS (
  INSERT INTO job_log (queue, job_id, idx, row)
  SELECT $1, own.id, last.idx + given.n, given.row
    FROM own, last, unnest($5::text[]) WITH ORDINALITY AS given (row, n)
), dropped AS (
  DELETE FROM job_log USING own, last
   WHERE job_log.queue = $1 AND job_log.job_id = own.id AND job_log.idx <= last.idx + cardinality($5::text[]) - $6
)
SELECT publish_event($1, 'progress', jsonb_build_object('jobId', id, 'data', $4::text)) FROM own
 WHERE $4::text IS NOT NULL`;

/** $3: token. BullMQ leaves alone what it does not know of a job's options. */
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

/** $2: ids, $3: until when they finished. Locked in one order, so that two who drop the same ones do not block each other. */
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

/** $3: what the text of a cancelled job begins with, $4: now. */
export const RETRY = `
WITH retried AS (
  UPDATE job
     SET state = 'waiting', seq = nextval('job_seq'), process_at_ms = NULL, processed_at_ms = NULL,
         finished_at_ms = NULL, return_value = NULL, failed_reason = NULL, stacktrace = NULL,
         deferred_failure = NULL, attempts_made = 0, stalled_count = 0, progress = DEFAULT, opts = opts - 'flowrraStarts'
   WHERE queue = $1 AND id = $2 AND state = 'failed' AND starts_with(COALESCE(failed_reason, ''), $3) IS FALSE
  RETURNING id, dedup_id, opts
), held AS (
  INSERT INTO dedup (queue, dedup_id, job_id)
  SELECT $1, dedup_id, id FROM retried
   WHERE dedup_id IS NOT NULL AND opts -> 'deduplication' ->> 'ttl' IS NULL
  ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = EXCLUDED.job_id, expire_at_ms = NULL
   WHERE dedup.expire_at_ms <= $4::bigint
)
SELECT pg_notify('bullmq_jobs', $1), publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'failed'))
  FROM retried`;

/** $2: key, $3: data, $4: delay, $5: when it is due, $6: now. */
export const DEBOUNCE = `
WITH standing AS (
  SELECT job_id FROM dedup
   WHERE queue = $1 AND dedup_id = $2 AND (expire_at_ms IS NULL OR expire_at_ms > $6::bigint)
), moved AS (
  UPDATE job SET data = $3::jsonb, delay_ms = $4::bigint, process_at_ms = $5::bigint
    FROM standing
   WHERE job.queue = $1 AND job.id = standing.job_id AND job.state = 'delayed' AND job.attempts_started = 0
  RETURNING pg_notify('bullmq_jobs', $1),
            publish_event($1, 'delayed', jsonb_build_object('jobId', job.id, 'delay', $5::bigint))
)
SELECT job_id AS id, EXISTS (SELECT 1 FROM moved) AS moved FROM standing`;

/** $2: key, $3: the job that stands for it. */
export const FREE_KEY = `
DELETE FROM dedup WHERE queue = $1 AND dedup_id = $2 AND job_id = $3`;

const listed = (state: string, order: string): string =>
  `SELECT id FROM job WHERE queue = $1 AND state = ${state} ORDER BY ${order} OFFSET $2 LIMIT $3`;

/** $2: offset, $3: how many. */
export const LISTS: Readonly<Record<JobList, string>> = {
  active: listed("'active'", 'seq'),
  waiting: listed("'waiting' AND priority = 0", 'seq'),
  prioritized: listed("'waiting' AND priority > 0", 'priority, seq'),
  delayed: listed("'delayed'", 'process_at_ms, seq'),
  failed: listed("'failed'", 'finished_at_ms DESC, seq DESC'),
  completed: listed("'completed'", 'finished_at_ms DESC, seq DESC'),
};
