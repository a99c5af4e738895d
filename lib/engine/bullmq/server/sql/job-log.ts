/**
 * Stores progress and log rows, and deletes the oldest rows. `idx` counts all rows that a job has ever had.
 *
 * $1: queue, $2: job, $3: token, $4: progress or NULL, $5: rows, $6: the number of rows to keep.
 */
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
