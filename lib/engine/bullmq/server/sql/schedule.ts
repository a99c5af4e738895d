/** Statements on the table of schedules, which is Flowrra's own. $1 is always the prefix. */

/** SQLite marks its files with the same number. */
const LOCK = 0x466c_6f77;

/**
 * Creates the table. It is one transaction; of several processes that start at once, one creates the table.
 *
 * @param schema A name of letters, digits, `_` and `$`.
 */
export const create = (schema: string): string => `
SELECT pg_advisory_xact_lock(${LOCK}, hashtext('${schema}'));
CREATE TABLE IF NOT EXISTS "${schema}".flowrra_schedule (
  prefix  text   COLLATE "C" NOT NULL,
  name    text   COLLATE "C" NOT NULL,
  version bigint NOT NULL,   -- the number of its writes
  due     bigint,            -- in milliseconds since 1970; NULL for never
  body    text   NOT NULL,
  PRIMARY KEY (prefix, name)
);
CREATE INDEX IF NOT EXISTS flowrra_schedule_due
    ON "${schema}".flowrra_schedule (prefix, due, name) WHERE due IS NOT NULL;`;

/** $1: the table's name, with its schema. */
export const EXISTS = `SELECT to_regclass($1) IS NOT NULL AS found`;

/** $2: the most rows. */
export const EARLIEST = `
SELECT name, version, due, body FROM flowrra_schedule
 WHERE prefix = $1 AND due IS NOT NULL ORDER BY due, name LIMIT $2`;

/** $2: names. */
export const GET = `
SELECT name, version, due, body FROM flowrra_schedule WHERE prefix = $1 AND name = ANY($2::text[])`;

/** $2: the name before the page, $3: the most rows. */
export const PAGE = `
SELECT name, version, due, body FROM flowrra_schedule
 WHERE prefix = $1 AND name > $2 ORDER BY name LIMIT $3`;

/**
 * Answers the numbers, from 1, of the writes that have been made. It locks rows in the order of their names,
 * which makes deadlocks rare.
 *
 * $2: names, $3: expected versions, $4: due times, $5: bodies.
 */
export const PUT = `
WITH given AS (
  SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
    WITH ORDINALITY AS given (name, expected, due, body, n)
), held AS (
  SELECT stored.name, given.n, given.due, given.body
    FROM flowrra_schedule AS stored JOIN given ON given.name = stored.name
   WHERE stored.prefix = $1 AND stored.version = given.expected
   ORDER BY stored.name FOR UPDATE OF stored
), updated AS (
  UPDATE flowrra_schedule AS stored SET version = stored.version + 1, due = held.due, body = held.body
    FROM held WHERE stored.prefix = $1 AND stored.name = held.name
  RETURNING held.n
), inserted AS (
  INSERT INTO flowrra_schedule (prefix, name, version, due, body)
  SELECT $1, name, 1, due, body FROM given WHERE expected = 0 ORDER BY name COLLATE "C"
  ON CONFLICT DO NOTHING
  RETURNING name
)
SELECT n FROM updated
UNION ALL
SELECT given.n FROM inserted JOIN given ON given.name = inserted.name`;

/** $2: name. */
export const REMOVE = `DELETE FROM flowrra_schedule WHERE prefix = $1 AND name = $2 RETURNING name`;
