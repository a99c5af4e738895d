import { Injectable } from '@nestjs/common';
import { Task } from '../../lib/index.js';
import { run, startingApps } from './starting-apps.js';

const start = startingApps();

describe('options of tasks from outside', () => {
  @Injectable()
  class Tuned {
    tries = 0;

    @Task({ maxRetries: 0 })
    flaky(): string {
      if (++this.tries < 3) throw new Error('not yet');
      return 'done';
    }

    @Task({ name: 'where' })
    where(): void {}
  }
  const tasks = { 'Tuned.flaky': { maxRetries: 5, retryDelay: 1 }, where: { queue: 'other' } };

  it('go over those of the decorator', async () => {
    const { flowrra } = await start({ providers: [Tuned] }, { tasks, queues: { other: {} } });
    expect(await run(flowrra, 'Tuned.flaky')).toBe('done');
    const queues: string[] = [];
    flowrra.events$.subscribe((event) => queues.push(event.queue));
    await run(flowrra, 'where');
    expect(new Set(queues)).toEqual(new Set(['other']));
  });

  it('are checked like those, and name a task that there is', async () => {
    const starting = (given: object) => start({ providers: [Tuned] }, { tasks: given as typeof tasks });
    await expect(starting({ 'Tuned.flaky': { maxRetries: -1 } })).rejects.toThrow(
      /Task 'Tuned\.flaky', maxRetries: -1 is not valid/,
    );
    await expect(starting({ 'Tuned.flaky': { name: 'x' } })).rejects.toThrow(
      /tasks\['Tuned\.flaky'\]: unknown option 'name'/,
    );
    await expect(starting({ 'Tuned.flakey': {} })).rejects.toThrow(
      /no task is called 'Tuned\.flakey'.*Tuned\.flaky/,
    );
    await expect(starting({ where: { queue: 'nowhere' } })).rejects.toThrow(/queue: 'nowhere' is not valid/);
  });
});
