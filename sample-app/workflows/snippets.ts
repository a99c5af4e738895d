import { Injectable } from '@nestjs/common';
import {
  ChildFailedError,
  type FlowrraService,
  type JobDetails,
  type JobSummary,
  Task,
  TaskContext,
  TaskCtx,
} from 'flowrra';

/** Snippets about durable tasks. */
@Injectable()
export class ParcelTasks {
  position = 0;
  blocked = new Set<string>();

  @Task({ maxRetries: 0 })
  async pack(sku: string): Promise<string> {
    if (this.blocked.has(sku)) throw new Error(`${sku} is sold out`);
    return `box of ${sku}`;
  }

  // #region repeats
  @Task()
  async follow(parcel: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    for (;;) {
      const place = await ctx.step('look', () => this.placeOf(parcel)); // 'look', 'look:1', 'look:2' …
      if (place === 'at home') return place;
      await ctx.sleep('pause', '1h'); // 'pause', 'pause:1' …
    }
  }
  // #endregion

  // #region parallel
  @Task()
  async packAll(skus: string[], @TaskCtx() ctx: TaskContext): Promise<string[]> {
    return Promise.all(skus.map((sku) => ctx.with({ key: sku }).call(this.pack, sku)));
  }
  // #endregion

  // #region caught
  @Task()
  async packOr(sku: string, other: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    try {
      return await ctx.with({ key: 'first' }).call(this.pack, sku);
    } catch (error) {
      if (!(error instanceof ChildFailedError)) throw error;
      return ctx.with({ key: 'second' }).call(this.pack, other);
    }
  }
  // #endregion

  // #region race
  @Task()
  async ask(question: string, @TaskCtx() ctx: TaskContext): Promise<string> {
    const first = await Promise.race([
      ctx.waitFor<string>('answer'),
      ctx.waitFor('withdrawal').then(() => `no answer to ${question}`),
    ]);
    const answer = await ctx.step('winner', () => first); // a later run may find both signals
    await ctx.sleep('pause', '1h');
    return answer;
  }
  // #endregion

  private placeOf(parcel: string): string {
    return this.position++ < 2 ? `${parcel} is on its way` : 'at home';
  }
}

export async function operate(
  flowrra: FlowrraService,
  taskId: string,
): Promise<{ job: JobDetails | null; children: readonly JobSummary[] }> {
  // #region operate
  await flowrra.signal(taskId, 'approval', { approved: true, by: 'bob' }, { id: 'click-17' });
  const job = await flowrra.jobs.get(taskId); // with `steps`
  const { jobs: children } = await flowrra.jobs.find({ parent: taskId }); // of ctx.call
  const { jobs: waiting } = await flowrra.jobs.find({ status: 'suspended', task: 'OrderTasks.fulfil' });
  // #endregion
  return { job: waiting.length > 0 ? job : null, children };
}

export async function again(flowrra: FlowrraService, taskId: string): Promise<boolean> {
  return (
    // #region again
    await flowrra.jobs.retry(taskId, { fromStep: 'ship' }) // 'ship', and all that began after it, once more
    // #endregion
  );
}
