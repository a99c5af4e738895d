import { jest } from '@jest/globals';
import { Queue } from 'bullmq';
import { SubmitUncertainError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';

afterEach(() => jest.restoreAllMocks());

await onBoth(({ url }) => {
  it('a look that never has an answer does not hold up the submission of an id of its own', async () => {
    const { app, flowrra } = await startOn({ connection: url, prefix: place(), submitTimeout: '1s' }, Work, {
      role: 'producer',
    });
    // As on a connection that breaks after the job has been added.
    const look = jest.spyOn(Queue.prototype, 'getJob').mockReturnValue(new Promise(() => undefined));
    const error = await flowrra
      .with({ taskId: 'own' })
      .submit('Work.double', 1)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SubmitUncertainError);
    expect(error).toMatchObject({ taskId: 'own' });
    look.mockRestore();
    expect(await flowrra.with({ taskId: 'own' }).submit('Work.double', 1)).toBe('own');
    await app.close();
  });
});
