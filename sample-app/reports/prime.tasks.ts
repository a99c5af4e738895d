// sample-app/reports/prime.tasks.ts
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from 'flowrra';

@Injectable()
export class PrimeTasks {
  /** Runs in a thread of its own, so the server goes on answering. */
  @Task({ cpuBound: true, timeout: '1m' })
  primesBelow(limit: number, @TaskCtx() { signal }: TaskContext): { limit: number; count: number } {
    const composite = new Uint8Array(limit);
    let count = 0;
    for (let n = 2; n < limit; n++) {
      if (composite[n]) continue;
      count++;
      // A synchronous task notices its time-out only if it reads the signal.
      if (n < 1_000) signal.throwIfAborted();
      for (let multiple = n * n; multiple < limit; multiple += n) composite[multiple] = 1;
    }
    return { limit, count };
  }
}
