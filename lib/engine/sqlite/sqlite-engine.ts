import { Logger } from '@nestjs/common';
import { EmbeddedEngine } from '../embedded/embedded-engine.js';
import type { JobStore, StoreConfig } from '../embedded/job-store.js';
import { JobsFile } from './file/jobs-file.js';
import { type ResolvedSqliteOptions, resolveSqliteOptions, type SqliteOptions } from './sqlite-options.js';
import { OpenSqliteStore } from './sqlite-store.js';

/**
 * The engine that stores jobs and results in one SQLite file. A submitted job survives a crash once `submit` has
 * resolved. Several processes of one host may share the file.
 *
 * @throws {FlowrraConfigError} that names an invalid option.
 */
export function sqlite(options: SqliteOptions): EmbeddedEngine {
  return new EmbeddedEngine('sqlite', new SqliteStore(resolveSqliteOptions(options)));
}

export class SqliteStore implements JobStore {
  readonly durable = true;
  readonly supports: JobStore['supports'] = new Set(['shared', 'fleetLimits', 'schedules', 'journals']);

  constructor(private readonly options: ResolvedSqliteOptions) {}

  /** @throws {EngineError} that says what is wrong with the file and how to fix it. */
  async open(config: StoreConfig): Promise<OpenSqliteStore> {
    const file = await JobsFile.open(this.options, config);
    new Logger('Flowrra').log(`Jobs are stored in ${this.options.file}`);
    return new OpenSqliteStore(file, config, this.options);
  }
}
