import { jest } from '@jest/globals';
import { SubmitUncertainError } from '../../../lib/job/errors.js';
import { type Accepted, Duplicate, type NewJob } from '../../../lib/job/job.js';
import { PayloadCodec } from '../../../lib/job/payload/payload-codec.js';
import { NO_SUBMIT_OPTIONS } from '../../../lib/job/submission.js';
import { EventHub } from '../../../lib/run/event-hub.js';
import { RunObserver } from '../../../lib/run/run-observer.js';
import { Submitter } from '../../../lib/run/submitter.js';
import { ManualClock } from '../../support/manual-clock.js';

const ROUTE = { name: 'task', queue: 'q' };

function setUp(parts: { recorder?: object; context?: object; accept?: (job: NewJob) => Accepted } = {}) {
  const { recorder = null, context = null, accept = ({ taskId }) => taskId ?? 'new' } = parts;
  const jobs: NewJob[] = [];
  const sink = {
    enqueue: (job: NewJob) => {
      jobs.push(job);
      return accept(job);
    },
    enqueueMany: async (many: readonly NewJob[]) => many.map(sink.enqueue),
  };
  const hub = new EventHub();
  const events: object[] = [];
  hub.events$.subscribe((event) => events.push(event));
  const codec = new PayloadCodec({ maxBytes: 1_000 });
  const observer = new RunObserver(hub, new ManualClock());
  const submitter = new Submitter(sink, codec, observer, recorder as never, context as never, null);
  return { submitter, jobs, events };
}

it('a plain submission is a copy, and its id is known at once', () => {
  const { submitter, jobs, events } = setUp();
  const arg = { n: 1 };
  expect(submitter.submit(ROUTE, [arg], NO_SUBMIT_OPTIONS)).toBe('new');
  arg.n = 2;
  expect(jobs).toMatchObject([{ taskName: 'task', queue: 'q', args: [{ n: 1 }], metadata: undefined }]);
  expect(events).toMatchObject([{ type: 'submitted', taskId: 'new' }]);
});

it('keys are scoped to the task; an existing job is announced by the key as it was given', () => {
  const { submitter, jobs, events } = setUp({ accept: () => new Duplicate('old') });
  const dedupe = { key: 'k', mode: 'ignore', ttl: 0 } as const;
  expect(submitter.submit(ROUTE, [], { ...NO_SUBMIT_OPTIONS, dedupe })).toBe('old');
  expect(jobs[0]?.dedupe?.key).toBe('task/k');
  expect(events).toMatchObject([{ type: 'deduplicated', taskId: 'old', key: 'k' }]);
});

it('arguments that a task refuses never reach the engine', async () => {
  const { submitter, jobs } = setUp();
  const validate = () => Promise.reject(new Error('not these'));
  await expect(submitter.submit({ ...ROUTE, validate }, [1], NO_SUBMIT_OPTIONS)).rejects.toThrow('not these');
  expect(jobs).toEqual([]);
});

it('a job that would expire before it is due is rejected', () => {
  const { submitter } = setUp();
  const route = { ...ROUTE, policy: { expires: 1_000 } };
  expect(() => submitter.submit(route, [], { ...NO_SUBMIT_OPTIONS, delay: 1_000 })).toThrow(
    /expires 1000 ms/,
  );
});

it('the captured context travels beside the metadata', () => {
  const { submitter, jobs } = setUp({ context: { capture: () => ({ tenant: 'acme' }) } });
  void submitter.submit(ROUTE, [], { ...NO_SUBMIT_OPTIONS, metadata: { by: 'ada' } });
  expect(jobs[0]?.metadata).toEqual({ by: 'ada', $context: { tenant: 'acme' } });
});

describe('with a backend', () => {
  const recording = () => ({ submitted: jest.fn(async () => true), forget: jest.fn() });

  it('the backend knows the id before the engine', async () => {
    const recorder = recording();
    const { submitter } = setUp({ recorder });
    const id = await submitter.submit(ROUTE, [], NO_SUBMIT_OPTIONS);
    expect(recorder.submitted).toHaveBeenCalledWith(id, expect.anything());
    expect(recorder.forget).not.toHaveBeenCalled();
  });

  it.each([
    ['forgets a job that the engine rejects', new Error('full'), 1],
    ['keeps a job that the engine may have accepted', new SubmitUncertainError(['id'], 'no answer.'), 0],
  ])('%s', async (_what, error, forgotten) => {
    const recorder = recording();
    const accept = (): never => {
      throw error;
    };
    const { submitter } = setUp({ recorder, accept });
    await expect(submitter.submit(ROUTE, [], NO_SUBMIT_OPTIONS)).rejects.toBe(error);
    expect(recorder.forget).toHaveBeenCalledTimes(forgotten);
  });

  it('forgets the id of a job that was not added', async () => {
    const recorder = recording();
    const { submitter } = setUp({ recorder, accept: () => new Duplicate('old') });
    expect(await submitter.submit(ROUTE, [], NO_SUBMIT_OPTIONS)).toBe('old');
    expect(recorder.forget).toHaveBeenCalledTimes(1);
  });
});
