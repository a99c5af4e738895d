// sample-app/datasets/dataset.tasks.ts
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { CsvError, parse } from 'csv-parse';
import { FatalTaskError, Task, TaskContext, TaskCtx } from 'flowrra';
import { summarise, type Summary } from './column-summary.js';

@Injectable()
export class DatasetTasks {
  /**
   * The file stays on disk, and only its path travels: arguments are for small data. It stays
   * afterwards as well: a worker that dies before the result is stored leaves the job to another one.
   */
  @Task({ queue: 'datasets', maxRetries: 1 })
  async summarise(path: string, name: string, @TaskCtx() { signal }: TaskContext): Promise<Summary> {
    try {
      return await pipeline(
        createReadStream(path),
        parse({ columns: true, bom: true }),
        (records: AsyncIterable<Record<string, string>>) => summarise(name, records),
        { signal },
      );
    } catch (cause) {
      // A file that cannot be read now may be readable in a moment; one that is no CSV stays what it is.
      if (!(cause instanceof CsvError)) throw cause;
      throw new FatalTaskError(`${name} is no CSV: ${cause.message}`, { cause });
    }
  }
}
