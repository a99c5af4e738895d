import { Admission } from '../../../lib/engine/admission.js';
import { newJob } from '../../support/jobs.js';
import { settle } from '../../support/manual-clock.js';

function setUp(maxPending: number, whenFull: 'wait' | 'reject' = 'wait') {
  const store = { pending: 0, existing: false };
  const admission = new Admission(
    { maxPending, whenFull },
    () => store.pending,
    () => store.existing,
  );
  const order: string[] = [];
  const submit = (name: string, count = 1, job = newJob()): Promise<void> =>
    admission.enter(
      Array.from({ length: count }, () => job),
      () => {
        if (!store.existing) store.pending += count;
        order.push(name);
      },
    );
  const leave = async (count = 1): Promise<void> => {
    store.pending -= count;
    admission.left();
    await settle();
  };
  return { store, admission, order, submit, leave };
}

it('admits at once while there is room, and then in the order of submission', async () => {
  const { order, submit, leave } = setUp(2);
  const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => submit(name)));
  await settle();
  expect(order).toEqual(['a', 'b']);
  await leave();
  expect(order).toEqual(['a', 'b', 'c']);
  await leave();
  await all;
  expect(order).toEqual(['a', 'b', 'c', 'd']);
});

it('a small submission does not overtake a large one that waits', async () => {
  const { order, submit, leave } = setUp(3);
  await submit('first', 2);
  void submit('large', 3);
  void submit('small', 1);
  await settle();
  expect(order).toEqual(['first']);
  await leave(2);
  expect(order).toEqual(['first', 'large']);
  await leave(3);
  expect(order).toEqual(['first', 'large', 'small']);
});

it("rejects with whenFull: 'reject', and a submission that can never fit", async () => {
  const { submit } = setUp(1, 'reject');
  await submit('a');
  await expect(submit('b')).rejects.toMatchObject({ code: 'FLOWRRA_QUEUE_FULL' });
  await expect(submit('many', 2)).rejects.toThrow(/2 jobs at once can never fit: maxPending is 1/);
});

it('a submission of a running task does not wait: it holds a place that the queue needs', async () => {
  const { admission, order, submit } = setUp(1);
  await submit('a');
  await admission.asTask(() => submit('inside'));
  expect(order).toEqual(['a', 'inside']);
});

it('a submission that adds nothing needs no room', async () => {
  const { store, order, submit } = setUp(1);
  await submit('a');
  store.existing = true;
  await submit('again', 1, newJob({ taskId: 'a' }));
  expect(order).toEqual(['a', 'again']);
});

it('close() rejects the submissions that wait', async () => {
  const { admission, submit } = setUp(1);
  await submit('a');
  const waiting = submit('b');
  await settle();
  admission.close();
  await expect(waiting).rejects.toMatchObject({ code: 'FLOWRRA_NOT_RUNNING' });
});
