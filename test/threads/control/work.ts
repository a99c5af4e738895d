import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskCtx } from 'flowrra';
import { currentTask } from 'flowrra/current-task';

async function deepBelow(): Promise<unknown> {
  await Promise.resolve();
  const task = currentTask();
  task?.log('from deep below');
  return { taskId: task?.taskId, tenant: task?.metadata['tenant'], priority: task?.priority };
}

@Injectable()
export class Work {
  @Task({ cpuBound: true })
  deep(): Promise<unknown> {
    return deepBelow();
  }

  @Task({ cpuBound: true })
  chatty(lines: number, @TaskCtx() ctx: TaskContext): string {
    for (let n = 1; n <= lines; n++) {
      ctx.log(`line ${n}`);
      ctx.progress(n / lines);
    }
    return 'said';
  }

  @Task({ cpuBound: true, maxRetries: 0 })
  unfit(@TaskCtx() ctx: TaskContext): void {
    ctx.progress({ callback: () => 1 });
  }

  /** Never lets a message in, but asks. */
  @Task({ cpuBound: true, killGrace: 60_000 })
  politeLoop(@TaskCtx() ctx: TaskContext): string {
    ctx.progress('looping');
    while (!ctx.signal.aborted) Math.sqrt(2);
    ctx.log(`stopped by ${(ctx.signal.reason as Error).message}`);
    return 'stopped';
  }

  @Task({ cpuBound: true, killGrace: 100 })
  deafLoop(@TaskCtx() ctx: TaskContext): void {
    ctx.progress('looping');
    for (;;) Math.sqrt(2);
  }
}
