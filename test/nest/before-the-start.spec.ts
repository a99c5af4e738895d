import { Injectable } from '@nestjs/common';
import { ExecutorNotRunningError, FlowrraService, Task, TaskNotFoundError } from '../../lib/index.js';
import { startingApps } from './starting-apps.js';

const start = startingApps();

@Injectable()
class Mails {
  @Task()
  send(to: string): string {
    return `to ${to}`;
  }
}

@Injectable()
class Eager {
  readonly mails;
  readonly early: Promise<unknown>[];

  constructor(flowrra: FlowrraService, mails: Mails) {
    this.mails = flowrra.tasks(Mails);
    this.early = [
      flowrra.submit(mails.send, 'ada'),
      flowrra.submit('Mails.send', 'ada'),
      this.mails.send('ada'),
      flowrra.submitMany(mails.send, [['ada']]),
      flowrra.with({ priority: 1 }).submit(mails.send, 'ada'),
      flowrra.with({ priority: 1 }).tasks(Mails).send('ada'),
    ];
    for (const submission of this.early) submission.catch(() => undefined);
  }
}

it('a submission in a constructor or a factory says that Flowrra is not running', async () => {
  const made: Promise<unknown>[] = [];
  const factory = {
    provide: 'EARLY',
    inject: [FlowrraService],
    useFactory: (flowrra: FlowrraService) => {
      made.push(flowrra.submit('Mails.send', 'ada'));
      made[0]?.catch(() => undefined);
      return 'made';
    },
  };
  const { app } = await start({ providers: [Mails, Eager, factory] });
  const submissions = [...app.get(Eager).early, ...made];
  expect(submissions).toHaveLength(7);
  for (const submission of submissions) {
    await expect(submission).rejects.toThrow(ExecutorNotRunningError);
    await expect(submission).rejects.toThrow(/from onModuleInit on, not in a constructor or a factory/);
  }
});

it('tasks(Class) may be kept in a constructor, and used after the start', async () => {
  const { app, flowrra } = await start({ providers: [Mails, Eager] });
  const id = await app.get(Eager).mails.send('bob');
  expect((await flowrra.waitForResult(id)).result).toBe('to bob');
});

it('after the start, tasks(Class) names a class without tasks at once', async () => {
  const { flowrra } = await start({ providers: [Mails] });
  expect(() => flowrra.tasks(Eager)).toThrow(TaskNotFoundError);
});
