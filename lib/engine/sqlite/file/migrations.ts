import { EngineError } from '../../../job/errors.js';
import type { SqliteDatabase } from './driver/driver.js';
import { rollback } from './rollback.js';

/** Marks a database file as Flowrra's ("Flow" in ASCII): https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x466c_6f77;

/**
 * The steps from an empty file to the present schema. Forward only: a released step is never
 * changed, a new one is added at the end. A file's `user_version` is the number of steps it has had.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- One row a job, from its submission until its result is dropped.
  CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY,          -- in the order of submission
    task_id       TEXT    NOT NULL,             -- what submit returned; carries id, unless it was chosen
    chosen        INTEGER NOT NULL DEFAULT 0,   -- 1 if the submitter chose task_id
    task          TEXT    NOT NULL,             -- the task's name
    queue         TEXT    NOT NULL,
    -- pending, running, retrying, success, failed or cancelled. A CHECK would cost a third of an insert.
    status        TEXT    NOT NULL,
    priority      INTEGER NOT NULL,             -- lower runs first
    place         INTEGER,                      -- its place in line, while it is due and waits
    due_at        INTEGER,                      -- when it comes due, while it is delayed
    leased_until  INTEGER,                      -- how long its worker has it for itself, while it runs
    claims        INTEGER NOT NULL DEFAULT 0,   -- how often a worker has taken it; its latest is the only valid one
    rescues       INTEGER NOT NULL DEFAULT 0,   -- how often the present attempt was taken over from a dead worker
    retries       INTEGER NOT NULL DEFAULT 0,
    submitted_at  INTEGER NOT NULL,             -- times are milliseconds since 1970
    started_at    INTEGER,                      -- of the latest attempt
    finished_at   INTEGER,
    finish_order  INTEGER,                      -- grows with every job that finishes
    args          TEXT,                         -- JSON; NULL if it lies in large_args
    overrides     TEXT,                         -- JSON: the policy that was given with the job
    errors        TEXT,                         -- JSON: what failed attempts threw
    result        TEXT,                         -- JSON, of a job with status success
    reason        TEXT                          -- why it was cancelled
  ) STRICT;

  CREATE INDEX jobs_line     ON jobs (queue, priority, place) WHERE place IS NOT NULL;
  CREATE INDEX jobs_delayed  ON jobs (queue, due_at)          WHERE due_at IS NOT NULL;
  CREATE INDEX jobs_leased   ON jobs (leased_until)           WHERE leased_until IS NOT NULL;
  CREATE INDEX jobs_finished ON jobs (finish_order)           WHERE finish_order IS NOT NULL;
  CREATE UNIQUE INDEX jobs_chosen ON jobs (task_id)           WHERE chosen = 1;

  -- Arguments of some size lie apart, so that a change of status does not write them anew.
  CREATE TABLE large_args (
    job  INTEGER PRIMARY KEY,
    args TEXT NOT NULL
  ) STRICT;

  -- How many jobs there are of each kind, so that nobody has to count them.
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
    ('last', 0),            -- the last number given out: ids, places and finish_order come from it
    ('longest_lease', 0),   -- of all processes that have ever used the file: no lease can end later than that from now
    ('pruned_at', 0),       -- when results were last looked through for old ones
    ('tag', abs(random() % 16777216));  -- tells this file's ids from another's
  `,
  `
  -- What may be done to a job, and what it says of itself. Every column is NULL for a job that uses
  -- none of it, and every index is partial, so that such a job costs what it did before.
  ALTER TABLE jobs ADD COLUMN metadata   TEXT;     -- JSON: what the submitter gave with it
  ALTER TABLE jobs ADD COLUMN progress   TEXT;     -- JSON: what it said last of its progress
  ALTER TABLE jobs ADD COLUMN cancelling TEXT;     -- why it is to end as cancelled, while it still runs; else without meaning
  ALTER TABLE jobs ADD COLUMN failed     INTEGER;  -- 1 if its status is failed: an index on status would cost every job
  ALTER TABLE jobs ADD COLUMN keyed      INTEGER;  -- 1 if it was submitted with a key
  ALTER TABLE jobs ADD COLUMN lines      INTEGER;  -- how many lines it has logged: the last of them lie in logs

  CREATE INDEX jobs_cancelling ON jobs (id) WHERE cancelling IS NOT NULL;
  CREATE INDEX jobs_failed     ON jobs (id) WHERE failed IS NOT NULL;
  UPDATE jobs SET failed = 1 WHERE status = 'failed';

  -- The latest lines of each job. Those of a job go when the job does.
  CREATE TABLE logs (
    job     INTEGER NOT NULL,
    number  INTEGER NOT NULL,   -- of all lines of the job, from 1
    at      INTEGER NOT NULL,
    attempt INTEGER NOT NULL,   -- from 1
    line    TEXT    NOT NULL,
    PRIMARY KEY (job, number)
  ) STRICT, WITHOUT ROWID;

  -- For each key the latest job that was added with it.
  CREATE TABLE dedupe_keys (
    key     TEXT    PRIMARY KEY,
    job     INTEGER NOT NULL,   -- its row, which may be gone while the key still stands
    task_id TEXT    NOT NULL,
    until   INTEGER             -- how long it stands, if for a time; NULL: as long as the job waits or runs
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dedupe_keys_job   ON dedupe_keys (job);
  CREATE INDEX dedupe_keys_until ON dedupe_keys (until) WHERE until IS NOT NULL;

  -- Queues that have been paused, or whose starts are counted for all processes together.
  CREATE TABLE queues (
    queue  TEXT    PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0,   -- to pause by hand: 1 for a row of that queue
    since  INTEGER NOT NULL DEFAULT 0,   -- the first start of the present window of its rate limit
    starts INTEGER NOT NULL DEFAULT 0    -- how many there have been in that window
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE jobs ADD COLUMN own_key TEXT;   -- the key that it takes back when it is put back into line; NULL for none
  `,
];

/**
 * Brings a file to the present schema, in one transaction. An update of the library does so at its
 * first start; processes of the version before that are at work on the file go on, though they take
 * no notice of what the new columns say.
 *
 * @param steps How many steps the file is to have had: all of them, but in a test of older files.
 * @throws {EngineError} if the file is another program's, or a newer version's.
 */
export function migrate(database: SqliteDatabase, file: string, steps = MIGRATIONS.length): void {
  if (versionOf(database, file) >= steps) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been faster.
    const version = versionOf(database, file);
    for (const step of MIGRATIONS.slice(version, steps)) database.exec(step);
    database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${Math.max(version, steps)}`,
    );
    database.exec('COMMIT');
  } catch (error) {
    rollback(database);
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
      `${file} is another program's database. Give Flowrra a file of its own, one that does not exist yet.`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new EngineError(
      `${file} was written by a newer version of Flowrra: its schema is ${version}, and this version knows ${MIGRATIONS.length}. Install that version, or give another file.`,
    );
  }
  return version;
}
