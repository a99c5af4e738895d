import { Controller, Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { First, run, startingApps } from './starting-apps.js';

const start = startingApps();

describe('providers that live for one job', () => {
  let made = 0;

  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {
    private readonly id = ++made;

    constructor(@Inject(REQUEST) private readonly job: TaskContext) {}

    @Task()
    async who(word: string, @TaskCtx() ctx: TaskContext): Promise<unknown[]> {
      return [this.id, word, this.job.taskId === ctx.taskId, this.job.attempt];
    }
  }

  @Injectable({ scope: Scope.TRANSIENT })
  class Transient {
    private readonly id = ++made;

    @Task()
    who(): number {
      return this.id;
    }
  }

  @Injectable()
  class DependsOnRequest {
    private readonly id = ++made;

    constructor(private readonly inner: PerRequest) {}

    @Task()
    who(): boolean {
      return this.id > 0 && this.inner instanceof PerRequest;
    }
  }

  @Controller({ scope: Scope.REQUEST })
  class RequestController {
    private readonly id = ++made;

    @Task()
    who(): number {
      return this.id;
    }
  }

  it('get a fresh instance, with its job as the request', async () => {
    const { flowrra } = await start({ providers: [PerRequest] });
    const before = made;
    expect(await run(flowrra, 'PerRequest.who', 'a')).toEqual([before + 1, 'a', true, 1]);
    expect(await run(flowrra, 'PerRequest.who', 'b')).toEqual([before + 2, 'b', true, 1]);
    expect((await flowrra.waitForResult(await flowrra.tasks(PerRequest).who('c'))).result).toEqual([
      before + 3,
      'c',
      true,
      1,
    ]);
  });

  it('transient ones as well, and those that only depend on a request-scoped one, and controllers', async () => {
    const { flowrra } = await start({
      providers: [PerRequest, Transient, DependsOnRequest],
      controllers: [RequestController],
    });
    const ids = [await run(flowrra, 'Transient.who'), await run(flowrra, 'Transient.who')];
    expect(new Set(ids).size).toBe(2);
    expect(await run(flowrra, 'DependsOnRequest.who')).toBe(true);
    const controllers = [
      await run(flowrra, 'RequestController.who'),
      await run(flowrra, 'RequestController.who'),
    ];
    expect(new Set(controllers).size).toBe(2);
  });

  it('fail the job, and nothing else, if they cannot be made', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Unmakeable {
      constructor() {
        throw new Error('no database today');
      }

      @Task({ maxRetries: 0 })
      work(): void {}
    }
    const { flowrra } = await start({ providers: [Unmakeable, First] });
    await expect(run(flowrra, 'Unmakeable.work')).rejects.toThrow('no database today');
    expect(await run(flowrra, 'First.name')).toBe('First');
  });
});
