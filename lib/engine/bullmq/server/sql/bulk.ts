import { ENDING_KEY } from '../../../../job/journal/journal-record.js';
import { CANCELLED } from '../../job-mapping.js';
import type { BulkCall, BulkChange, BulkSource } from '../bull-server.js';
import { FREED } from './dedup.js';
import { IS_JOURNALLED, isSuspended } from './job.js';

/** The kind of a job that the step has left alone, since it has a journal. */
export const JOURNALLED = 'journalled';

/** The most jobs that one step reads. */
export const MAX_READ = 200;

/** After all times. */
const LAST = Number.MAX_SAFE_INTEGER;

/** An index of jobs in the order of two columns, by which a step goes on where the one before has ended. */
interface Source {
  readonly from: string;
  readonly where: string;
  readonly keys: readonly [first: string, second: string];
  readonly types: readonly [first: string, second: string];
  readonly id: string;
  /** Whether the index has only the first column, so that a step has to bound it. */
  readonly isBounded: boolean;
}

const listed = (where: string, first: string, second = 'id', secondType = 'text'): Source => ({
  from: 'job',
  where,
  keys: [first, second],
  types: ['bigint', secondType],
  id: 'id',
  isBounded: false,
});

const timed = (where: string, first: string): Source => ({ ...listed(where, first), isBounded: true });

const SOURCES: Readonly<Record<BulkSource, Source>> = {
  waiting: listed(`state = 'waiting' AND priority = 0`, 'priority', 'seq', 'bigint'),
  prioritized: listed(`state = 'waiting' AND priority > 0`, 'priority', 'seq', 'bigint'),
  delayed: timed(`state = 'delayed'`, 'process_at_ms'),
  // The index of active jobs is sorted by the end of the lease, which changes.
  active: listed(`state = 'active'`, '0::bigint'),
  failed: timed(`state = 'failed'`, 'finished_at_ms'),
  completed: timed(`state = 'completed'`, 'finished_at_ms'),
  // With the collation of the table of tags, the index of jobs could not be used.
  tag: { ...listed('tag = $5', 'at', 'job_id'), from: 'flowrra_job_tag', id: 'job_id COLLATE "default"' },
};

const STATUS = `CASE WHEN state = 'completed' THEN 'success'
  WHEN state = 'failed' THEN CASE WHEN starts_with(failed_reason, '${CANCELLED}') THEN 'cancelled' ELSE 'failed' END
  WHEN state = 'active' THEN 'running'
  WHEN ${isSuspended('$11::bigint')} THEN 'suspended'
  WHEN state IN ('waiting', 'delayed') THEN CASE WHEN attempts_made > 0 THEN 'retrying' ELSE 'pending' END END`;

/** Parts of a statement that change the jobs in `matching`, and whose last one is `changed (id, kind, name, retries, text)`. */
const CHANGES: Readonly<Record<BulkCall['kind'], string>> = {
  retry: `changed AS (
  UPDATE job
     SET state = 'waiting', seq = nextval('job_seq'), process_at_ms = NULL, processed_at_ms = NULL,
         finished_at_ms = NULL, return_value = NULL, failed_reason = NULL, stacktrace = NULL,
         deferred_failure = NULL, attempts_made = 0, stalled_count = 0, progress = DEFAULT, opts = opts - 'flowrraStarts' - 'flowrraCancel'
   WHERE job.queue = $1 AND job.id = ANY (ARRAY(SELECT id FROM matching))
  RETURNING job.id, 'retry' AS kind, name, 0 AS retries, '' AS text, dedup_id, opts,
            publish_event($1, 'waiting', jsonb_build_object('jobId', job.id, 'prev', 'failed'))
), held AS (
  INSERT INTO dedup (queue, dedup_id, job_id)
  SELECT DISTINCT ON (dedup_id) $1, dedup_id, id FROM changed
   WHERE dedup_id IS NOT NULL AND opts -> 'deduplication' ->> 'ttl' IS NULL
   ORDER BY dedup_id
  ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = EXCLUDED.job_id, expire_at_ms = NULL
   WHERE dedup.expire_at_ms <= $11::bigint
), forgotten AS (
  DELETE FROM flowrra_journal
   WHERE queue = $1 AND key = '${ENDING_KEY}' AND job_id IN (SELECT id FROM changed WHERE opts ? 'flowrraJournal')
)`,
  remove: `gone AS (
  DELETE FROM job WHERE job.queue = $1 AND job.id = ANY (ARRAY(SELECT id FROM matching))
  RETURNING job.id, dedup_id, name, publish_event($1, 'removed', jsonb_build_object('jobId', job.id, 'prev', state))
), ${FREED}, changed AS (SELECT id, 'remove' AS kind, name, 0 AS retries, '' AS text FROM gone)`,
  cancel: `signalled AS (
  UPDATE job SET deferred_failure = COALESCE(deferred_failure, $12)
   WHERE job.queue = $1 AND job.id = ANY (ARRAY(SELECT id FROM matching)) AND (state = 'active' OR parent_id IS NOT NULL)
     AND NOT ${IS_JOURNALLED}
  RETURNING job.id, name, attempts_made, deferred_failure
), gone AS (
  UPDATE job
     SET state = 'failed', failed_reason = COALESCE(deferred_failure, $12), deferred_failure = NULL,
         finished_at_ms = $11::bigint, process_at_ms = NULL, attempts_made = attempts_made + 1
   WHERE job.queue = $1 AND job.id = ANY (ARRAY(SELECT id FROM matching)) AND state IN ('waiting', 'delayed') AND parent_id IS NULL
     AND NOT ${IS_JOURNALLED}
  RETURNING job.id, dedup_id, name, attempts_made - 1 AS retries, failed_reason,
            publish_event($1, 'failed', jsonb_build_object('jobId', job.id, 'failedReason', failed_reason, 'prev', 'waiting'))
), ${FREED}, changed AS (
  SELECT id, 'cancelled' AS kind, name, retries, failed_reason AS text FROM gone
  UNION ALL
  SELECT id, 'signalled', name, attempts_made, deferred_failure FROM signalled
  UNION ALL
  SELECT id, '${JOURNALLED}', '', 0, '' FROM matching WHERE journalled
)`,
};

/** The only row of a step. */
export interface StepRow {
  readonly read: number;
  /** The keys of the last job that was read. */
  readonly last: readonly [string, string] | null;
  readonly count: number;
  readonly changes: readonly StepChange[] | null;
}

export type StepChange = BulkChange | { readonly kind: typeof JOURNALLED; readonly taskId: string };

/**
 * One step. Jobs are looked up by arrays of ids: PostgreSQL would join a table that it has not analyzed yet as a whole.
 * It locks jobs in the order of their ids, and before their dedupe keys, which prevents deadlocks.
 *
 * @param position The keys of the last job of the step before, as JSON.
 * @param limit The most jobs that the step reads.
 */
export function step(
  queue: string,
  source: BulkSource,
  { kind, conditions, dryRun, expired, text }: BulkCall,
  position: string | null,
  limit: number,
  now: number,
): { sql: string; values: unknown[] } {
  const { from, where, keys, types, id, isBounded } = SOURCES[source];
  const [first, second] = keys;
  const after = position === null ? '' : `AND (${first}, ${second}) > ($2::${types[0]}, $3::${types[1]})`;
  // Without a bound, PostgreSQL sorts all jobs that follow unless it has analyzed the table since they were added.
  const bound = isBounded
    ? `AND ${first} <= COALESCE((
  SELECT ${first} FROM ${from}
   WHERE queue = $1 AND ${where} ${position === null ? '' : `AND ${first} > $2::${types[0]}`}
   ORDER BY ${first} OFFSET $4 - 1 LIMIT 1), ${LAST})`
    : '';
  const values = [
    queue,
    ...(position === null ? [null, null] : (JSON.parse(position) as string[])),
    limit,
    conditions.tag ?? null,
    conditions.status,
    conditions.task ?? null,
    conditions.from ?? null,
    conditions.to ?? null,
    [conditions.finishedBefore ?? null, Math.max(expired, Number.MIN_SAFE_INTEGER)],
    now,
    text,
  ];
  const sql = `
WITH page AS MATERIALIZED (
  SELECT ${id} AS id, ${first} AS first, ${second} AS second FROM ${from}
   WHERE queue = $1 AND ${where} ${after} ${bound} ORDER BY ${first}, ${second} LIMIT $4
), matching AS (
  SELECT job.id, ${IS_JOURNALLED} AS journalled FROM job
   WHERE job.queue = $1 AND job.id = ANY (ARRAY(SELECT id FROM page)) AND ${STATUS} = ANY($6::text[]) AND ($7::text IS NULL OR name = $7)
     AND ($8::bigint IS NULL OR added_at_ms >= $8) AND ($9::bigint IS NULL OR added_at_ms < $9)
     AND (($10::bigint[])[1] IS NULL OR finished_at_ms < ($10::bigint[])[1])
     AND (finished_at_ms IS NULL OR finished_at_ms > ($10::bigint[])[2])
     -- For the types of parameters that no other condition names.
     AND ($2::text IS NULL OR $3::text IS NOT NULL) AND ($5::text IS NULL OR $11::bigint IS NOT NULL) AND $12::text IS NOT NULL
   ORDER BY job.id ${dryRun ? '' : 'FOR UPDATE OF job'}
)${dryRun ? '' : `, ${CHANGES[kind]}`}
SELECT (SELECT count(*)::integer FROM page) AS read,
       (SELECT json_build_array(first::text, second::text) FROM page ORDER BY page.first DESC, page.second DESC LIMIT 1) AS last,
       (SELECT count(*)::integer FROM ${dryRun ? 'matching' : 'changed'}) AS count,
       ${dryRun || kind === 'remove' ? 'NULL' : `(SELECT json_agg(json_build_object('taskId', id, 'kind', kind, 'taskName', name, 'retries', retries, 'text', text)) FROM changed)`} AS changes
       ${dryRun || kind !== 'retry' ? '' : `, pg_notify('bullmq_jobs', $1)`}`;
  return { sql, values };
}

/** Where the next step begins; `null` at the end. */
export function positionAfter({ read, last }: StepRow, limit: number): string | null {
  return read < limit || last === null ? null : JSON.stringify(last);
}
