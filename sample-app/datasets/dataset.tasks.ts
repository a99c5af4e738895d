// sample-app/datasets/dataset.tasks.ts
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { parse } from 'csv-parse';
import { FatalTaskError, Task, TaskContext, TaskCtx } from 'flowrra';
import { ColumnSummary, type Summary } from './column-summary.js';

@Injectable()
export class DatasetTasks {
  /** The file stays on disk, and only its path travels: arguments are for small data. */
  @Task({ queue: 'datasets', maxRetries: 1 })
  async summarise(path: string, name: string, @TaskCtx() { signal }: TaskContext): Promise<Summary> {
    const columns = new Map<string, ColumnSummary>();
    let rows = 0;
    const records = createReadStream(path, { signal }).pipe(parse({ columns: true, bom: true }));
    try {
      for await (const record of records as AsyncIterable<Record<string, string>>) {
        rows++;
        for (const [column, value] of Object.entries(record)) {
          const summary = columns.get(column) ?? new ColumnSummary(column);
          columns.set(column, summary);
          summary.add(value);
        }
      }
    } catch (cause) {
      // The same file reads the same the next time.
      throw new FatalTaskError(`${name} is no CSV: ${String(cause)}`, { cause });
    }
    await rm(path, { force: true });
    return { name, rows, columns: [...columns.values()].map((column) => column.result()) };
  }
}
