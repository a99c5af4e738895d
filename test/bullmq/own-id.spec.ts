import { jest } from '@jest/globals';
import { Queue } from 'bullmq';
import { SubmitUncertainError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';

afterEach(() => jest.restoreAllMocks());

await onBoth(({ url }) => {
  it('a submission with a chosen id does not wait without limit for a read that has no answer', async () => {
    const { app, flowrra } = await startOn({ connection: url, prefix: place(), submitTimeout: '1s' }, Work, {
      role: 'producer',
    });
    // Like a connection that breaks after the job was added.
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
