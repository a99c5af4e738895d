import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { CommitNotices } from '../../../lib/outbox/commit-notices.js';
import type { KnownConnection } from '../../../lib/outbox/connection/sql-connection.js';
import { ManualClock } from '../../support/manual-clock.js';

beforeEach(() => {
  jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
});
afterEach(() => jest.restoreAllMocks());

/** A database whose connections that listen are opened, fail and are lost as the test says. */
function setUp() {
  const clock = new ManualClock();
  const listening: { readonly channel: string; readonly heard: () => void; readonly lost: () => void }[] = [];
  const state = { isAway: false, ended: 0, heard: 0 };
  const database: KnownConnection = {
    dialect: 'postgres',
    library: 'fake',
    sync: false,
    isInTransaction: () => false,
    run: async () => [],
    async listen(channel, heard, lost) {
      if (state.isAway) throw new Error('the server is away');
      listening.push({ channel, heard, lost });
      return async () => void state.ended++;
    },
  };
  const notices = new CommitNotices(database, 'flowrra_outbox', clock, () => state.heard++);
  return { clock, database, listening, state, notices };
}

it('listens on the channel, and looks at once: a commit may have come before', async () => {
  const { clock, listening, state, notices } = setUp();
  notices.start();
  await clock.advance(0);
  expect(listening.map(({ channel }) => channel)).toEqual(['flowrra_outbox']);
  expect(state.heard).toBe(1);
  listening[0]?.heard();
  expect(state.heard).toBe(2);
  await notices.stop();
  expect(state.ended).toBe(1);
  expect(clock.armed).toBe(0);
});

it('listens again five seconds after the connection was lost, and looks then', async () => {
  const { clock, listening, state, notices } = setUp();
  notices.start();
  await clock.advance(0);
  listening[0]?.lost();
  await clock.advance(4_999);
  expect(listening).toHaveLength(1);
  await clock.advance(1);
  expect(listening).toHaveLength(2);
  expect(state.heard).toBe(2);
  await notices.stop();
  expect(state.ended).toBe(1);
});

it('tries again for as long as the database is away', async () => {
  const { clock, listening, state, notices } = setUp();
  state.isAway = true;
  notices.start();
  await clock.advance(12_000);
  expect(listening).toHaveLength(0);
  state.isAway = false;
  await clock.advance(3_000);
  expect(listening).toHaveLength(1);
  await notices.stop();
});

it('after the stop, it does not listen again', async () => {
  const { clock, listening, notices } = setUp();
  notices.start();
  await clock.advance(0);
  await notices.stop();
  listening[0]?.lost();
  await clock.advance(10_000);
  expect(listening).toHaveLength(1);
  expect(clock.armed).toBe(0);
});

it('a stop ends a connection that is still being opened', async () => {
  const { clock, state, notices } = setUp();
  notices.start();
  await notices.stop();
  expect(state.ended).toBe(1);
  await clock.advance(10_000);
  expect(clock.armed).toBe(0);
});

it('a library that cannot listen is left alone', async () => {
  const { clock, database, state } = setUp();
  const { listen: _, ...silent } = database;
  const notices = new CommitNotices(silent, 'flowrra_outbox', clock, () => state.heard++);
  notices.start();
  await clock.advance(10_000);
  expect(state.heard).toBe(0);
  await notices.stop();
});
