import { packMetadata } from '../../lib/job/metadata.js';
import { resolveSubmitOptions } from '../../lib/job/submit-options.js';
import type { SubmitOptions } from '../../lib/job/submit-options.js';
import { ParentEngine } from '../../lib/run/threads/parent-engine.js';
import { newJob } from '../support/jobs.js';

it.each<SubmitOptions>([
  { priority: 3, delay: '1m', metadata: { by: 'ada' }, expires: '1h', maxRetries: 2 },
  { dedupe: { key: 'k' } },
  { tags: ['billing', 'order:17'] },
  { dedupe: { key: 'k', mode: 'throttle', ttl: '1m' } },
  { dedupe: { key: 'k', mode: 'debounce', ttl: '1m' }, expires: '1h' },
])('what a thread submits, its parent can submit: %j', async (options) => {
  const now = 1_700_000_000_000;
  const { dedupe, metadata, ...resolved } = resolveSubmitOptions(options, now);
  const passedOn: SubmitOptions[] = [];
  const engine = new ParentEngine({
    submit: async (_taskName, _args, given) => {
      passedOn.push(given);
      return 'id';
    },
  });
  const job = newJob({
    ...resolved,
    metadata: packMetadata(metadata, { context: 'captured in the thread' }),
    dedupe: dedupe && { ...dedupe, key: `task/${dedupe.key}` },
  });
  expect(await engine.enqueue(job)).toBe('id');
  expect(resolveSubmitOptions(passedOn[0] as SubmitOptions, now)).toEqual(resolveSubmitOptions(options, now));
});
