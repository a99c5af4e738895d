import { jest } from '@jest/globals';
import { PostgresJobs } from '../../lib/engine/bullmq/server/postgres-jobs.js';
import { RedisJobs } from '../../lib/engine/bullmq/server/redis-jobs.js';
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
    const looks = [RedisJobs, PostgresJobs].map(({ prototype }) =>
      jest.spyOn(prototype, 'submissions').mockReturnValue(new Promise(() => undefined)),
    );
    const error = await flowrra
      .with({ taskId: 'own' })
      .submit('Work.double', 1)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SubmitUncertainError);
    expect(error).toMatchObject({ taskId: 'own' });
    for (const look of looks) look.mockRestore();
    expect(await flowrra.with({ taskId: 'own' }).submit('Work.double', 1)).toBe('own');
    await app.close();
  });
});
