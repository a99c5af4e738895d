import 'reflect-metadata';
import { Injectable, UseGuards, UseInterceptors } from '@nestjs/common';
import { Task } from '../dist/index.js';
import { start } from './nest-app.mjs';

/** What one interceptor, and one guard, add to a job that does nothing. */
export default async function enhanced({ jobs }) {
  const interceptor = { intercept: (_context, next) => next.handle() };
  const guard = { canActivate: () => true };
  class Tasks {
    async plain() {}
    async intercepted() {}
    async guarded() {}
  }
  for (const name of ['plain', 'intercepted', 'guarded'])
    Task()(Tasks.prototype, name, Object.getOwnPropertyDescriptor(Tasks.prototype, name));
  UseInterceptors(interceptor)(
    Tasks.prototype,
    'intercepted',
    Object.getOwnPropertyDescriptor(Tasks.prototype, 'intercepted'),
  );
  UseGuards(guard)(Tasks.prototype, 'guarded', Object.getOwnPropertyDescriptor(Tasks.prototype, 'guarded'));
  Injectable()(Tasks);
  const { app, flowrra } = await start({}, [Tasks]);

  const drain = async (name) => {
    let last;
    const started = performance.now();
    for (let n = 0; n < jobs; n++) last = flowrra.submit(`Tasks.${name}`);
    await flowrra.waitForResult(await last);
    return (1_000 * (performance.now() - started)) / jobs;
  };
  const samples = { plain: [], intercepted: [], guarded: [] };
  for (let round = 0; round < 6; round++)
    for (const name of Object.keys(samples)) samples[name].push(await drain(name));
  await app.close();
  const median = (list) => list.slice(1).sort((a, b) => a - b)[2];
  return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, median(list)]));
}
