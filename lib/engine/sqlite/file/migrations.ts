import { EngineError } from '../../../job/errors.js';
import type { SqliteDatabase } from './driver.js';

/** Identifies a database file of Flowrra ("Flow" in ASCII): https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x466c_6f77;

/**
 * The steps from an empty file to the current schema. They only go forward: the statements of a released
 * step never change, and a new step is added at the end. A file's `user_version` is the number of its steps.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- One row per job, from its submission until its result is dropped.
  CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY,          -- in the order of submission
    task_id       TEXT    NOT NULL,             -- returned by submit; contains id, unless it was chosen
    chosen        INTEGER NOT NULL DEFAULT 0,   -- 1 if the submitter chose task_id
    task          TEXT    NOT NULL,             -- the task's name
    queue         TEXT    NOT NULL,
    -- pending, running, retrying, success, failed or cancelled. A CHECK would cost a third of an insert.
    status        TEXT    NOT NULL,
    priority      INTEGER NOT NULL,             -- lower runs first
    place         INTEGER,                      -- its position among waiting jobs, while it is due
    due_at        INTEGER,                      -- when it becomes due, while it is delayed
    leased_until  INTEGER,                      -- end of its worker's lease, while it runs
    claims        INTEGER NOT NULL DEFAULT 0,   -- number of claims; only the latest claim is valid
    rescues       INTEGER NOT NULL DEFAULT 0,   -- how often the current attempt was taken over from a dead worker
    retries       INTEGER NOT NULL DEFAULT 0,
    submitted_at  INTEGER NOT NULL,             -- times are milliseconds since 1970
    started_at    INTEGER,                      -- of the latest attempt
    finished_at   INTEGER,
    finish_order  INTEGER,                      -- a number that grows with every finished job
    args          TEXT,                         -- JSON; NULL if stored in large_args
    overrides     TEXT,                         -- JSON: policy overrides of the job
    errors        TEXT,                         -- JSON: errors of failed attempts
    result        TEXT,                         -- JSON, if status is success
    reason        TEXT                          -- why it was cancelled
  ) STRICT;

  CREATE INDEX jobs_line     ON jobs (queue, priority, place) WHERE place IS NOT NULL;
  CREATE INDEX jobs_delayed  ON jobs (queue, due_at)          WHERE due_at IS NOT NULL;
  CREATE INDEX jobs_leased   ON jobs (leased_until)           WHERE leased_until IS NOT NULL;
  CREATE INDEX jobs_finished ON jobs (finish_order)           WHERE finish_order IS NOT NULL;
  CREATE UNIQUE INDEX jobs_chosen ON jobs (task_id)           WHERE chosen = 1;

  -- Large arguments have their own table, so that a change of status does not rewrite them.
  CREATE TABLE large_args (
    job  INTEGER PRIMARY KEY,
    args TEXT NOT NULL
  ) STRICT;

  -- The number of jobs by queue and status, so that no query has to count rows.
  CREATE TABLE counts (
    queue  TEXT    NOT NULL,
    status TEXT    NOT NULL,
    jobs   INTEGER NOT NULL,
    PRIMARY KEY (queue, status)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE numbers (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO numbers (name, value) VALUES
    ('last', 0),            -- the last number of the sequence for id, place and finish_order
    ('longest_lease', 0),   -- the longest of all processes so far: no lease ends later than this from now
    ('pruned_at', 0),       -- when old results were last dropped
    ('tag', abs(random() % 16777216));  -- distinguishes this file's ids from those of other files
  `,
  `
  -- Metadata, reports, cancellation and keys of jobs. Every column is NULL for a job without these
  -- features, and every index is partial, so that plain jobs cost no more than before.
  ALTER TABLE jobs ADD COLUMN metadata   TEXT;     -- JSON: the submitter's own data
  ALTER TABLE jobs ADD COLUMN progress   TEXT;     -- JSON: the progress reported last
  ALTER TABLE jobs ADD COLUMN cancelling TEXT;     -- the reason of a cancellation while the job runs; otherwise unused
  ALTER TABLE jobs ADD COLUMN failed     INTEGER;  -- 1 if its status is failed: an index on status would cost every job
  ALTER TABLE jobs ADD COLUMN keyed      INTEGER;  -- 1 if it was submitted with a key
  ALTER TABLE jobs ADD COLUMN lines      INTEGER;  -- the number of its log lines; the latest are stored in logs

  CREATE INDEX jobs_cancelling ON jobs (id) WHERE cancelling IS NOT NULL;
  CREATE INDEX jobs_failed     ON jobs (id) WHERE failed IS NOT NULL;
  UPDATE jobs SET failed = 1 WHERE status = 'failed';

  -- The latest log lines of each job, deleted with the job.
  CREATE TABLE logs (
    job     INTEGER NOT NULL,
    number  INTEGER NOT NULL,   -- among all lines of the job, from 1
    at      INTEGER NOT NULL,
    attempt INTEGER NOT NULL,   -- from 1
    line    TEXT    NOT NULL,
    PRIMARY KEY (job, number)
  ) STRICT, WITHOUT ROWID;

  -- The latest job of each dedupe key.
  CREATE TABLE dedupe_keys (
    key     TEXT    PRIMARY KEY,
    job     INTEGER NOT NULL,   -- its row, which may be deleted before the key ends
    task_id TEXT    NOT NULL,
    until   INTEGER             -- end of a throttled key; NULL: valid while the job is unfinished
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dedupe_keys_job   ON dedupe_keys (job);
  CREATE INDEX dedupe_keys_until ON dedupe_keys (until) WHERE until IS NOT NULL;

  -- Queues that have been paused or have a fleet rate limit.
  CREATE TABLE queues (
    queue  TEXT    PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,   -- 1 if paused; may be set by hand
    since  INTEGER NOT NULL DEFAULT 0,   -- the first start of the current rate window
    starts INTEGER NOT NULL DEFAULT 0    -- the number of starts in that window
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE jobs ADD COLUMN own_key TEXT;   -- the key that the job holds again after a retry by an operator; NULL for none
  `,
  `
  -- Schedules, which are no jobs: each one submits a job when it is due.
  CREATE TABLE schedules (
    name    TEXT    PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,   -- the number of its writes: a write names the version that it replaces
    due     INTEGER,            -- when a worker must look at it next; NULL for never
    body    TEXT    NOT NULL    -- JSON
  ) STRICT;
  CREATE INDEX schedules_due ON schedules (due, name) WHERE due IS NOT NULL;
  `,
  `
  ALTER TABLE jobs ADD COLUMN tags TEXT;      -- JSON: the list of its tags; NULL for none

  -- The jobs of each tag, written and deleted with the job.
  CREATE TABLE job_tags (
    tag TEXT    NOT NULL,
    job INTEGER NOT NULL,   -- its row
    PRIMARY KEY (tag, job)
  ) STRICT, WITHOUT ROWID;
  -- A trigger, since processes of an earlier version, which do not know the tags, delete jobs too.
  CREATE TRIGGER jobs_untagged AFTER DELETE ON jobs WHEN old.tags IS NOT NULL BEGIN
    DELETE FROM job_tags
     WHERE job = old.id AND tag IN (SELECT value FROM json_each(iif(json_valid(old.tags), old.tags, '[]')));
  END;
  `,
  `
  -- From this version on, the status may be suspended. Such a job has a due_at, or neither place nor due_at.
  ALTER TABLE jobs ADD COLUMN appended INTEGER;   -- 1 if an attempt has appended to its journal; NULL for no
  ALTER TABLE jobs ADD COLUMN posts    INTEGER;   -- the number of entries ever posted to its journal; NULL for none

  -- The journals of durable jobs. The entries of a job are stored side by side: each attempt reads all of them.
  CREATE TABLE journals (
    job    INTEGER NOT NULL,
    key    TEXT    NOT NULL,
    number INTEGER NOT NULL,   -- of the file's sequence: an entry with a higher number was first written later
    body   TEXT    NOT NULL,   -- JSON
    PRIMARY KEY (job, key)
  ) STRICT, WITHOUT ROWID;

  -- Deleted jobs of which entries are left: maintenance deletes them.
  CREATE TABLE dropped_journals (
    job INTEGER PRIMARY KEY
  ) STRICT;
  -- A transaction may delete hundreds of jobs, so it deletes only a limited number of entries of each.
  CREATE TRIGGER jobs_unjournaled AFTER DELETE ON jobs
  WHEN old.appended IS NOT NULL OR old.posts IS NOT NULL BEGIN
    DELETE FROM journals
     WHERE job = old.id AND key IN (SELECT key FROM journals WHERE job = old.id LIMIT 100);
    INSERT INTO dropped_journals (job) SELECT job FROM journals WHERE job = old.id LIMIT 1;
  END;
  `,
];

/**
 * Brings a file to the current schema, in one transaction. Processes of the previous version may continue to
 * use the file; they ignore the new columns.
 *
 * @param steps The number of steps to reach. Only tests of older files give a lower number than all.
 * @throws {EngineError} if the file belongs to another program or to a newer version of Flowrra.
 */
export function migrate(database: SqliteDatabase, file: string, steps = MIGRATIONS.length): void {
  if (versionOf(database, file) >= steps) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have migrated the file in the meantime.
    const version = versionOf(database, file);
    for (const step of MIGRATIONS.slice(version, steps)) database.exec(step);
    database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${Math.max(version, steps)}`,
    );
    database.exec('COMMIT');
  } catch (error) {
    database.rollback();
    throw error;
  }
}

function versionOf(database: SqliteDatabase, file: string): number {
  const [{ application, version, tables }] = database
    .prepare<{ application: number; version: number; tables: number }>(
      `SELECT (SELECT application_id FROM pragma_application_id) AS application,
              (SELECT user_version FROM pragma_user_version) AS version,
              (SELECT count(*) FROM sqlite_schema) AS tables`,
    )
    .all() as [{ application: number; version: number; tables: number }];
  if (application !== APPLICATION_ID && (application !== 0 || tables > 0)) {
    throw new EngineError(
      `${file} is another program's database. Give Flowrra its own file: choose a path that does not exist yet.`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new EngineError(
      `${file} was written by a newer version of Flowrra: its schema is ${version}, but this version supports ${MIGRATIONS.length}. Install the newer version, or use another file.`,
    );
  }
  return version;
}
