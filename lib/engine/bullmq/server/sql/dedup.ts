/** Statements on BullMQ's table of dedupe keys. $1 is always the queue. */

/** Part of a statement: frees the keys of the deleted or ended jobs in `gone (id, dedup_id)`. */
export const FREED = `freed AS (
  DELETE FROM dedup USING gone
   WHERE dedup.queue = $1 AND dedup.dedup_id = ANY (ARRAY(SELECT dedup_id FROM gone))
     AND dedup.dedup_id = gone.dedup_id AND dedup.job_id = gone.id AND dedup.expire_at_ms IS NULL
)`;

/** $2: key, $3: data, $4: delay, $5: due time, $6: now. */
export const DEBOUNCE = `
WITH holder AS (
  SELECT job_id FROM dedup
   WHERE queue = $1 AND dedup_id = $2 AND (expire_at_ms IS NULL OR expire_at_ms > $6::bigint)
), moved AS (
  UPDATE job SET data = $3::jsonb, delay_ms = $4::bigint, process_at_ms = $5::bigint
    FROM holder
   WHERE job.queue = $1 AND job.id = holder.job_id AND job.state = 'delayed' AND job.attempts_started = 0
  RETURNING pg_notify('bullmq_jobs', $1),
            publish_event($1, 'delayed', jsonb_build_object('jobId', job.id, 'delay', $5::bigint))
)
SELECT job_id AS id, EXISTS (SELECT 1 FROM moved) AS moved FROM holder`;

/** $2: key, $3: the job that holds it. */
export const FREE_KEY = `
DELETE FROM dedup WHERE queue = $1 AND dedup_id = $2 AND job_id = $3`;
