import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { filter, map } from 'rxjs';
import { EventHub } from '../../lib/run/event-hub.js';
import { type FlowrraEvent } from '../../lib/job/events.js';

const event = {
  type: 'started',
  taskId: 'id',
  taskName: 'task',
  queue: 'default',
  attempt: 1,
  at: new Date(0),
} satisfies FlowrraEvent;

it('an operator that throws ends its own subscription, is logged, and disturbs nobody', () => {
  const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  const hub = new EventHub();
  const heard: string[] = [];
  hub.events$
    .pipe(
      map(() => {
        throw new Error('a broken operator');
      }),
    )
    .subscribe(() => heard.push('never'));
  hub.events$.pipe(filter(({ type }) => type === 'started')).subscribe(({ taskId }) => heard.push(taskId));
  hub.emit(event);
  hub.emit(event);
  expect(heard).toEqual(['id', 'id']);
  expect(logged).toHaveBeenCalledTimes(1);
  expect(logged.mock.calls[0]?.[0]).toContain('a broken operator');
  logged.mockRestore();
});

it('is not observed before somebody subscribes, and not after everybody has left', () => {
  const hub = new EventHub();
  expect(hub.observed).toBe(false);
  const subscription = hub.events$.subscribe();
  expect(hub.observed).toBe(true);
  subscription.unsubscribe();
  expect(hub.observed).toBe(false);
});

it('tells what other processes do to whoever listens, and not among its own', () => {
  const hub = new EventHub();
  const own: string[] = [];
  const all: string[] = [];
  hub.own$.subscribe(({ taskId }) => own.push(taskId));
  expect(hub.observed).toBe(true);
  hub.events$.subscribe(({ taskId }) => all.push(taskId));
  hub.emit(event);
  hub.emitRemote({ ...event, taskId: 'of another process' });
  expect(own).toEqual(['id']);
  expect(all).toEqual(['id', 'of another process']);
});
