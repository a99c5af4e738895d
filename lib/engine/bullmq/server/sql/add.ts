/**
 * Statements that call BullMQ's functions for additions, on a connection of the application: names have the schema, and
 * values have casts, since a search path or a driver may lack either.
 *
 * @param schema A name of letters, digits, `_` and `$`.
 */

/** The role may use the schema; `null` if there is no such function. */
export const identity = (schema: string): string => `
SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
       (SELECT bool_or(has_schema_privilege(pg_namespace.oid, 'USAGE'))
          FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
         WHERE nspname = '${schema}' AND proname = 'add_job')::text AS usable`;

/**
 * $1 to $10: the queue and the other values of one job, as texts, $11: the name of the engine's database. No row in
 * another database. Planning takes less time than for {@link addEach}.
 */
export const addOne = (schema: string): string => `
SELECT "${schema}".add_job(
         $1::text, $2::text, $3::text, $4::text::jsonb, $5::text::jsonb, $6::text::integer, $7::text::bigint,
         $8::text::bigint, $9::text::integer, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
         $10::text::boolean) AS id
 WHERE current_database() = $11::text`;

/** $1: jobs, as JSON, $2: the name of the engine's database. No row in another database. */
export const addEach = (schema: string): string => `
SELECT "${schema}".add_job(
         job ->> 'queue', job ->> 'id', job ->> 'name', (job ->> 'data')::jsonb, job -> 'opts',
         (job ->> 'priority')::integer, (job ->> 'delay')::bigint, (job ->> 'timestamp')::bigint,
         (job ->> 'attempts')::integer, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
         (job ->> 'lifo')::boolean) AS id
  FROM jsonb_array_elements($1::text::jsonb) AS job
 WHERE current_database() = $2::text`;

/** $1: jobs of one queue, as JSON, $2: the name of the engine's database, $3: queue. No row in another database. */
export const addBulk = (schema: string): string => `
SELECT id FROM "${schema}".add_jobs_bulk($3::text, $1::text::jsonb) AS added (id)
 WHERE current_database() = $2::text`;

/**
 * $1: queue. Creates the sequence of a queue's ids unless it exists. `add_jobs_bulk` would do so too, and make other
 * submissions wait until the transaction of the application has ended.
 */
export const PREPARE_BULK = `SELECT next_job_id($1)`;

export const DATABASE = `SELECT current_database() AS name`;
