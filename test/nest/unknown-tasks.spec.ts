import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { startApp } from '../support/app.js';

it('names of unknown tasks are logged once each, and no more than 100 of them', async () => {
  const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  const names = Array.from({ length: 150 }, (_, n) => `elsewhere.${n}`);
  const remoteTasks = Object.fromEntries(names.map((name) => [name, {}]));
  const { app, flowrra } = await startApp({ remoteTasks, shutdownTimeout: 0 });
  const released = new Promise<void>((resolve) => {
    let count = 0;
    flowrra.events$.subscribe(({ type }) => {
      if (type === 'released' && ++count === 2 * names.length) resolve();
    });
  });
  for (const name of [...names, ...names]) await flowrra.submit(name as never);
  await released;
  await app.close();
  const lines = warned.mock.calls.map(([line]) => String(line));
  warned.mockRestore();
  expect(lines.filter((line) => line.includes("'elsewhere."))).toHaveLength(100);
  expect(lines.filter((line) => line.includes('more than 100 unknown tasks'))).toHaveLength(1);
});
