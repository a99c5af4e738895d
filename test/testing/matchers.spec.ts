import { expect as jestExpect } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Cron, Task } from '../../lib/index.js';
import {
  FlowrraTesting,
  flowrraMatchers,
  type FlowrraMatchers,
  FlowrraTestingModule,
} from '../../lib/testing/index.js';

declare module 'expect' {
  interface Matchers<R> extends FlowrraMatchers<R> {}
}
declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}

jestExpect.extend(flowrraMatchers);

@Injectable()
class Mail {
  @Task()
  send(_to: string, _n: number): void {}
}

it('tells whether a job was submitted, and what was submitted instead', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ mode: 'fake' })],
    providers: [Mail],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  jestExpect(flowrra).not.toHaveSubmitted(Mail, 'send');
  await flowrra.tasks(Mail).send('ada', 1);
  jestExpect(flowrra).toHaveSubmitted(Mail, 'send');
  jestExpect(flowrra).toHaveSubmitted('Mail.send', ['ada', jestExpect.any(Number)]);
  jestExpect(flowrra).not.toHaveSubmitted(Mail, 'send', ['bob', 1]);
  // The global one as well.
  expect(flowrra).toHaveSubmitted(Mail, 'send', ['ada', 1]);
  // @ts-expect-error no method of that class
  expect(() => expect(flowrra).toHaveSubmitted(Mail, 'sends')).toThrow(/No task is called/);
  expect(() => jestExpect(flowrra).toHaveSubmitted(Mail, 'send', ['bob', 1])).toThrow(
    "Expected that a job of Mail.send with ['bob', 1] was submitted. Submitted: with ['ada', 1].",
  );
  expect(() => jestExpect(flowrra).not.toHaveSubmitted('Mail.send')).toThrow(
    'Expected that no job of Mail.send was submitted.',
  );
  await module.close();
});

@Injectable()
class Reports {
  @Cron('0 6 * * *', { timezone: 'Europe/Berlin', jitter: '10s' })
  daily(): void {}
}

it('tells whether there is a schedule, and in what it differs', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ now: new Date('2026-03-27T12:00:00Z') })],
    providers: [Mail, Reports],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  const next = new Date('2026-03-28T05:00:00Z');
  await jestExpect(flowrra).toHaveScheduled('Reports.daily');
  await jestExpect(flowrra).toHaveScheduled('Reports.daily', {
    cron: '0 6 * * *',
    timezone: 'Europe/Berlin',
    jitter: '10s',
    every: null,
    next,
    paused: null,
    counts: { submitted: 0 },
  });
  await jestExpect(flowrra).not.toHaveScheduled('Reports.daily', { next: new Date() });
  await jestExpect(flowrra).not.toHaveScheduled('sync:acme');
  await flowrra.schedules.set('sync:acme', { every: '15m' }, 'Mail.send' as string, 'ada', 1);
  await flowrra.schedules.pause('sync:acme', { reason: 'migration', by: 'ada' });
  // The global one as well.
  await expect(flowrra).toHaveScheduled('sync:acme', {
    every: '15m',
    paused: { reason: 'migration' },
    next: null,
  });
  await expect(flowrra).toHaveScheduled('sync:acme', { every: 900_000, paused: expect.any(Object) });
  await expect(flowrra).not.toHaveScheduled('sync:acme', { paused: { reason: 'holiday' } });
  const failing = (...args: Parameters<FlowrraMatchers<void>['toHaveScheduled']>) =>
    expect(jestExpect(flowrra).toHaveScheduled(...args)).rejects;
  await failing('Reports.daily', { next: new Date(0), every: null, cron: '1 * * * *' }).toThrow(
    `Expected a schedule 'Reports.daily' with next "1970-01-01T00:00:00.000Z", every null, cron '1 * * * *'. It has next "2026-03-28T05:00:00.000Z", cron '0 6 * * *'.`,
  );
  await failing('Reports.dayly').toThrow(
    "Expected a schedule 'Reports.dayly'. There is none of this name. Known: 'Reports.daily', 'sync:acme'.",
  );
  await failing('Reports.daily', { nxt: next } as never).toThrow(/unknown option 'nxt'.*Did you mean 'next'/);
  await expect(jestExpect(flowrra).not.toHaveScheduled('Reports.daily', { next })).rejects.toThrow(
    `Expected no schedule 'Reports.daily' with next "2026-03-28T05:00:00.000Z".`,
  );
  await module.close();
});
