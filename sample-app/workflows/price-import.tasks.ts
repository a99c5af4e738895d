// sample-app/workflows/price-import.tasks.ts
import { createReadStream } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { parse } from 'csv-parse';
import { Task, TaskContext, TaskCtx } from 'flowrra';
import { Prices } from './prices.js';

interface Row {
  readonly line: number;
  readonly sku: string;
  readonly price: number;
}

@Injectable()
export class PriceImportTasks {
  constructor(private readonly prices: Prices) {}

  /** Goes on after the last stored line if its process dies. The last lines may come again, so `set` must be idempotent. */
  @Task({ queue: 'imports' })
  async import(file: string, @TaskCtx() ctx: TaskContext): Promise<void> {
    const rows = ctx.each('rows', (after?: number) => linesOf(file, after), {
      cursor: ({ line }) => line,
      every: 1_000,
    });
    for await (const { line, sku, price } of rows) {
      await this.prices.set(sku, price);
      if (line % 100 === 0) ctx.progress({ line });
    }
  }
}

/** The rows of a CSV file after a line. */
async function* linesOf(file: string, after = 0): AsyncGenerator<Row> {
  const records = createReadStream(file).pipe(parse({ from: after + 1 }));
  let line = after;
  for await (const [sku, price] of records as AsyncIterable<[string, string]>)
    yield { line: ++line, sku, price: Number(price) };
}
