// sample-app/datasets/dataset.tasks.ts
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { CsvError, parse } from 'csv-parse';
import { FatalTaskError, Task, TaskContext, TaskCtx } from 'flowrra';
import { summarise, type Summary } from './column-summary.js';

@Injectable()
export class DatasetTasks {
  /** The file stays on disk, and only its path travels: arguments are for small data. */
  @Task({ queue: 'datasets', maxRetries: 1 })
  async summarise(path: string, name: string, @TaskCtx() { signal }: TaskContext): Promise<Summary> {
    let summary: Summary;
    try {
      summary = await pipeline(
        createReadStream(path),
        parse({ columns: true, bom: true }),
        (records: AsyncIterable<Record<string, string>>) => summarise(name, records),
        { signal },
      );
    } catch (cause) {
      // A file that cannot be read now may be readable in a moment; one that is no CSV stays what it is.
      if (!(cause instanceof CsvError)) throw cause;
      await rm(path, { force: true });
      throw new FatalTaskError(`${name} is no CSV: ${cause.message}`, { cause });
    }
    // Last of all, so that a task that is cut off before finds its file again.
    await rm(path, { force: true });
    return summary;
  }
}
