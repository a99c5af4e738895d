import { CANCEL_KEY, MAX_POSTS, MAX_WAKE_DELAY_MS, POSTS_PER_MS } from '../../../../job/journal/journal.js';
import { CANCELLED } from '../../job-mapping.js';
import { NEVER_DUE } from '../job-journals.js';
import { IS_JOURNALLED, isSuspended } from './job.js';

/**
 * Statements on the entries of journals, in a table of Flowrra's own. A journal's counters stand in the options of its
 * job, of which BullMQ keeps those that it does not know: `flowrraJournal` (`true` after an attempt has appended, `false`
 * before), `flowrraPosts`, `flowrraCancel` (the text of a cancellation that an attempt has to hear of) and
 * `flowrraSuspended` (the due time). So the lock on a job's row decides between a suspension and a message.
 *
 * Each statement locks the job in its first part, of which the columns are those after the wait for the lock; all other
 * reads of a statement show the time before it. $1 is the queue, $2 the job.
 */

/** Any number that all of Flowrra's processes share. */
const LOCK = 0x466c_6f77;

/**
 * Creates the table, and a trigger that deletes its rows in the transaction that deletes a job. Its condition leaves out
 * jobs without a journal, as that of the index leaves out jobs that were never suspended. It is one transaction; of several
 * processes that start at once, one does it.
 *
 * @param schema A name of letters, digits, `_` and `$`.
 */
export const create = (schema: string): string => `
SELECT pg_advisory_xact_lock(${LOCK}, hashtext('${schema}'));
CREATE TABLE IF NOT EXISTS "${schema}".flowrra_journal (
  queue    text   COLLATE "C" NOT NULL,
  job_id   text   COLLATE "C" NOT NULL,
  key      text   COLLATE "C" NOT NULL,
  position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  body     text   NOT NULL,
  PRIMARY KEY (queue, job_id, key)
);
CREATE INDEX IF NOT EXISTS flowrra_suspended_idx ON "${schema}".job (queue, process_at_ms)
 WHERE state = 'delayed' AND opts ? 'flowrraSuspended';
CREATE OR REPLACE FUNCTION "${schema}".flowrra_delete_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM "${schema}".flowrra_journal WHERE queue = OLD.queue AND job_id = OLD.id;
  RETURN NULL;
END;
$$;
CREATE OR REPLACE TRIGGER flowrra_journal_deleted AFTER DELETE ON "${schema}".job FOR EACH ROW
  WHEN (OLD.opts ? 'flowrraJournal') EXECUTE FUNCTION "${schema}".flowrra_delete_journal();`;

/** $1: the table's name, with its schema. */
export const EXISTS = `SELECT to_regclass($1) IS NOT NULL AS found`;

const POSTS = `COALESCE((opts ->> 'flowrraPosts')::integer, 0)`;

/** Part of a statement: posts the cancellations in `told (id, text)`. */
const CANCEL_ENTERED = `entered AS (
  INSERT INTO flowrra_journal (queue, job_id, key, body)
  SELECT $1, id, '${CANCEL_KEY}', json_build_object('reason', substr(text, ${CANCELLED.length + 1}))::text
    FROM told WHERE text IS NOT NULL
  ON CONFLICT DO NOTHING
)`;

export const READ = `
SELECT ${POSTS} AS posts,
       (SELECT json_agg(json_build_object('key', key, 'body', body) ORDER BY position)
          FROM flowrra_journal WHERE queue = $1 AND job_id = $2) AS entries
  FROM job WHERE queue = $1 AND id = $2`;

/** BullMQ would end the job by a deferred failure, without a run. $3: token, $4: keys, $5: bodies. */
export const APPEND = `
WITH own AS (
  SELECT id, ${IS_JOURNALLED} AS known, starts_with(deferred_failure, '${CANCELLED}') AS cancelled, deferred_failure AS text
    FROM job WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3 FOR UPDATE
), marked AS (
  UPDATE job
     SET opts = job.opts || '{"flowrraJournal": true}'
              || CASE WHEN own.cancelled THEN jsonb_build_object('flowrraCancel', own.text) ELSE '{}' END,
         deferred_failure = CASE WHEN own.cancelled THEN NULL ELSE job.deferred_failure END
    FROM own WHERE job.queue = $1 AND job.id = own.id AND (NOT own.known OR own.cancelled)
), entered AS (
  INSERT INTO flowrra_journal (queue, job_id, key, body)
  SELECT $1, $2, given.key, given.body
    FROM own, unnest($4::text[], $5::text[]) WITH ORDINALITY AS given (key, body, n) ORDER BY given.n
  ON CONFLICT (queue, job_id, key) DO UPDATE SET body = EXCLUDED.body
)
SELECT id FROM own`;

/**
 * It fails if another process posts an entry with the same key at the same time.
 *
 * $3: key, $4: body, $5: now, $6: the time until which finished jobs count as unknown.
 */
export const POST = `
WITH own AS (
  SELECT id, state, finished_at_ms, process_at_ms, ${POSTS} + 1 AS posts, ${isSuspended('$5::bigint')} AS suspended
    FROM job WHERE queue = $1 AND id = $2 FOR UPDATE
), judged AS (
  SELECT *, $5::bigint + LEAST(${MAX_WAKE_DELAY_MS}, posts / ${POSTS_PER_MS}) AS due,
         CASE WHEN state IN ('completed', 'failed') THEN CASE WHEN finished_at_ms > $6::bigint THEN 'finished' ELSE 'unknown' END
              WHEN EXISTS (SELECT 1 FROM flowrra_journal WHERE queue = $1 AND job_id = $2 AND key = $3) THEN 'known'
              WHEN posts > ${MAX_POSTS} THEN 'full'
              ELSE 'posted' END AS answer
    FROM own
), posted AS (
  SELECT id, posts, due, suspended AND due < process_at_ms AS wakes, suspended AND due <= $5::bigint AS waits
    FROM judged WHERE answer = 'posted'
), entered AS (
  INSERT INTO flowrra_journal (queue, job_id, key, body) SELECT $1, id, $3, $4 FROM posted
), counted AS (
  UPDATE job
     SET opts = '{"flowrraJournal": false}' || job.opts || jsonb_build_object('flowrraPosts', posted.posts)
              || CASE WHEN posted.wakes THEN jsonb_build_object('flowrraSuspended', posted.due) ELSE '{}' END,
         state = CASE WHEN posted.waits THEN 'waiting'::job_state ELSE job.state END,
         seq = CASE WHEN posted.waits THEN nextval('job_seq') ELSE job.seq END,
         process_at_ms = CASE WHEN posted.waits THEN NULL WHEN posted.wakes THEN posted.due ELSE job.process_at_ms END,
         delay_ms = CASE WHEN posted.waits THEN 0 ELSE job.delay_ms END
    FROM posted WHERE job.queue = $1 AND job.id = posted.id
  RETURNING CASE WHEN posted.waits THEN publish_event($1, 'waiting', jsonb_build_object('jobId', job.id, 'prev', 'delayed')) END,
            CASE WHEN posted.wakes OR posted.waits THEN pg_notify('bullmq_jobs', $1)::text END
)
SELECT answer FROM judged`;

/** $3: keys. */
export const FORGET = `
WITH own AS (
  SELECT id FROM job
   WHERE queue = $1 AND id = $2 AND state = 'failed' AND starts_with(COALESCE(failed_reason, ''), '${CANCELLED}') IS FALSE FOR UPDATE
), forgotten AS (
  DELETE FROM flowrra_journal USING own
   WHERE flowrra_journal.queue = $1 AND flowrra_journal.job_id = own.id AND flowrra_journal.key = ANY($3::text[])
), entered AS (
  INSERT INTO flowrra_journal (queue, job_id, key, body) SELECT $1, $2, $4, $5 FROM own
  ON CONFLICT (queue, job_id, key) DO UPDATE SET body = EXCLUDED.body
)
SELECT id FROM own`;

/** $3: token, $4: due time, $5: the number of posted entries that the attempt has seen, $6: now. */
export const SUSPEND = `
WITH own AS (
  SELECT id, ${POSTS} AS posts, CASE WHEN ${IS_JOURNALLED} THEN opts ->> 'flowrraCancel' END AS text,
         -- An operation on many jobs sorts those with the same due time.
         CASE WHEN $4::bigint < ${NEVER_DUE} THEN $4::bigint ELSE ${NEVER_DUE} + abs(seq) END AS due
    FROM job WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3 FOR UPDATE
), told AS (
  SELECT id, text, due, posts + CASE WHEN text IS NULL THEN 0 ELSE 1 END AS posts,
         posts > $5::integer OR text IS NOT NULL OR $4::bigint <= $6::bigint AS waits
    FROM own
), ${CANCEL_ENTERED}, suspended AS (
  UPDATE job
     SET state = CASE WHEN told.waits THEN 'waiting' ELSE 'delayed' END::job_state,
         seq = CASE WHEN told.waits THEN nextval('job_seq') ELSE job.seq END,
         process_at_ms = CASE WHEN told.waits THEN NULL ELSE told.due END,
         delay_ms = CASE WHEN told.waits THEN 0 ELSE told.due - $6::bigint END,
         lock_token = NULL, locked_until_ms = NULL,
         opts = (job.opts - 'flowrraCancel') || jsonb_build_object('flowrraPosts', told.posts, 'flowrraSuspended', told.due)
    FROM told WHERE job.queue = $1 AND job.id = told.id
  RETURNING told.waits, told.due
)
SELECT pg_notify('bullmq_jobs', $1),
       CASE WHEN waits THEN publish_event($1, 'waiting', jsonb_build_object('jobId', $2::text, 'prev', 'active'))
            ELSE publish_event($1, 'delayed', jsonb_build_object('jobId', $2::text, 'delay', due)) END
  FROM suspended`;

/**
 * Tells a job to which an attempt has appended that it is cancelled: an active one by the text, one that waits by its
 * journal. $3: text.
 */
export const CANCEL = `
WITH own AS (
  SELECT id, state, COALESCE(opts ->> 'flowrraCancel', $3) AS text
    FROM job WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed') AND ${IS_JOURNALLED} FOR UPDATE
), told AS (
  SELECT id, state, text FROM own WHERE state <> 'active'
), ${CANCEL_ENTERED}, signalled AS (
  UPDATE job SET opts = job.opts || jsonb_build_object('flowrraCancel', own.text)
    FROM own WHERE job.queue = $1 AND job.id = own.id AND own.state = 'active'
), woken AS (
  UPDATE job
     SET opts = (job.opts - 'flowrraCancel') || jsonb_build_object('flowrraPosts', COALESCE((job.opts ->> 'flowrraPosts')::integer, 0) + 1),
         state = CASE WHEN told.state = 'delayed' THEN 'waiting'::job_state ELSE job.state END,
         seq = CASE WHEN told.state = 'delayed' THEN nextval('job_seq') ELSE job.seq END,
         process_at_ms = NULL, delay_ms = 0
    FROM told WHERE job.queue = $1 AND job.id = told.id
     AND (told.state = 'delayed' OR NOT EXISTS (SELECT 1 FROM flowrra_journal WHERE queue = $1 AND job_id = $2 AND key = '${CANCEL_KEY}'))
  RETURNING pg_notify('bullmq_jobs', $1),
            CASE WHEN told.state = 'delayed' THEN publish_event($1, 'waiting', jsonb_build_object('jobId', job.id, 'prev', 'delayed')) END
)
SELECT CASE WHEN state = 'active' THEN text END AS text FROM own`;

export const RESUME = `
SELECT ${IS_JOURNALLED} AS resumed, opts ->> 'flowrraCancel' AS text FROM job WHERE queue = $1 AND id = $2`;

/** $2: now. */
export const COUNT_SUSPENDED = `
SELECT count(*) FROM job
 WHERE queue = $1 AND state = 'delayed' AND opts ? 'flowrraSuspended' AND ${isSuspended('$2::bigint')}`;
