/**
 * Statements on the table of tags, which is Flowrra's own. Triggers write and delete its rows in the transaction that
 * adds, changes or deletes a job. Their conditions leave out jobs without tags.
 */

/** Any number that all of Flowrra's processes share. */
const LOCK = 0x466c_6f77;

/** The tags in a job's data. Other programs may have written it, so no value may cause an error. */
const tagsIn = (data: string): string => `
  SELECT DISTINCT value #>> '{}'
    FROM jsonb_array_elements(CASE jsonb_typeof(${data} -> 'tags') WHEN 'array' THEN ${data} -> 'tags' ELSE '[]' END) AS value
   WHERE jsonb_typeof(value) = 'string' AND length(value #>> '{}') <= 100`;

/**
 * Creates the table and the triggers, and enters the tags of the jobs that exist. It is one transaction; of several
 * processes that start at once, one does it.
 *
 * @param schema A name of letters, digits, `_` and `$`.
 */
export const create = (schema: string): string => `
SELECT pg_advisory_xact_lock(${LOCK}, hashtext('${schema}'));
CREATE TABLE IF NOT EXISTS "${schema}".flowrra_job_tag (
  queue  text   COLLATE "C" NOT NULL,
  tag    text   COLLATE "C" NOT NULL,
  at     bigint NOT NULL,               -- the job's submission, in milliseconds since 1970
  job_id text   COLLATE "C" NOT NULL,
  PRIMARY KEY (queue, tag, at, job_id)
);
CREATE OR REPLACE FUNCTION "${schema}".flowrra_tag_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  given text;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    -- One lookup in the primary key for each tag: PostgreSQL joins a set or an array of tags with all rows of the queue.
    FOR given IN ${tagsIn('OLD.data')} LOOP
      DELETE FROM "${schema}".flowrra_job_tag
       WHERE queue = OLD.queue AND tag = given AND at = OLD.added_at_ms AND job_id = OLD.id;
    END LOOP;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO "${schema}".flowrra_job_tag (queue, tag, at, job_id)
    SELECT NEW.queue, tag, NEW.added_at_ms, NEW.id FROM (${tagsIn('NEW.data')}) AS tags (tag)
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END;
$$;
CREATE OR REPLACE TRIGGER flowrra_tag_added AFTER INSERT ON "${schema}".job FOR EACH ROW
  WHEN (NEW.data ? 'tags') EXECUTE FUNCTION "${schema}".flowrra_tag_job();
CREATE OR REPLACE TRIGGER flowrra_tag_changed AFTER UPDATE OF data ON "${schema}".job FOR EACH ROW
  WHEN (OLD.data -> 'tags' IS DISTINCT FROM NEW.data -> 'tags') EXECUTE FUNCTION "${schema}".flowrra_tag_job();
CREATE OR REPLACE TRIGGER flowrra_tag_deleted AFTER DELETE ON "${schema}".job FOR EACH ROW
  WHEN (OLD.data ? 'tags') EXECUTE FUNCTION "${schema}".flowrra_tag_job();
INSERT INTO "${schema}".flowrra_job_tag (queue, tag, at, job_id)
SELECT job.queue, given.tag, job.added_at_ms, job.id
  FROM "${schema}".job, LATERAL (${tagsIn('job.data')}) AS given (tag)
 WHERE job.data ? 'tags'
ON CONFLICT DO NOTHING;`;

/** $1: the table's name, with its schema. */
export const EXISTS = `SELECT to_regclass($1) IS NOT NULL AS found`;

/** $1: queue, $2: tag, $3 and $4: the submission and the id of the job before the page, $5: the most rows. */
export const PAGE = `
SELECT job_id AS id, at FROM flowrra_job_tag
 WHERE queue = $1 AND tag = $2 AND (at, job_id) < ($3::bigint, $4::text)
 ORDER BY at DESC, job_id DESC LIMIT $5`;
