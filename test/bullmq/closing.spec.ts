import { ExecutorNotRunningError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';

await onBoth(({ url, queue }) => {
  it('a submission just before the end is on the server, or is rejected with ExecutorNotRunningError', async () => {
    const prefix = place();
    const { app, flowrra } = await startOn({ connection: url, prefix, submitTimeout: '60s' }, Work, {
      role: 'producer',
    });
    const submitted = Array.from({ length: 3_000 }, (_, n) =>
      flowrra.submit('Work.double', n).catch((error: unknown) => error),
    );
    await app.close();
    const answers = await Promise.all(submitted);
    const accepted = answers.filter((answer) => typeof answer === 'string');
    for (const answer of answers)
      if (typeof answer !== 'string') expect(answer).toBeInstanceOf(ExecutorNotRunningError);
    expect(accepted.length).toBeGreaterThan(0);
    expect(await queue(prefix, 'default').getWaitingCount()).toBe(accepted.length);
  });
});
