import { EarlyCancellations } from '../../lib/engine/bullmq/work/early-cancellations.js';

it('knows of a cancellation for the round in which it came and the next one', () => {
  const early = new EarlyCancellations();
  const known = (): string[] => ['a', 'b'].filter((id) => early.has(id));
  early.add('a');
  expect(known()).toEqual(['a']);
  early.nextRound();
  early.add('b');
  expect(known()).toEqual(['a', 'b']);
  early.nextRound();
  expect(known()).toEqual(['b']);
  early.nextRound();
  expect(known()).toEqual([]);
});
