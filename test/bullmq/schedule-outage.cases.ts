import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { ServiceControls } from '../../scripts/services/services.d.mts';
import { EngineError, Interval } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';
import { place, startOn } from './apps.js';
import { schedulesOn, write } from './schedule-stores.js';

/** What becomes of schedules while the server is away, for both servers. */
export function scheduleOutageCases(server: () => ServiceControls): void {
  const rejection = async (call: () => unknown): Promise<unknown> => {
    try {
      return { answered: await call() };
    } catch (error) {
      return error;
    }
  };

  describe('schedules', () => {
    afterEach(async () => {
      server().resume();
      await server().restart();
      jest.restoreAllMocks();
    });

    it('while the server is away, every call rejects, which is logged once; what was written stays', async () => {
      const errors = jest.spyOn(Logger.prototype, 'error');
      const schedules = await schedulesOn({ connection: server().url, prefix: place(), submitTimeout: '1h' });
      expect(await schedules.put([write('a')])).toEqual([true]);
      await server().kill();
      const calls = [
        () => schedules.put([write('a', { expected: 1 }), write('b')]),
        () => schedules.earliest(1),
        () => schedules.get(['a']),
        () => schedules.page('', 1),
        () => schedules.remove('a'),
      ];
      for (const call of calls) expect(await rejection(call)).toBeInstanceOf(EngineError);
      expect(errors.mock.calls.map(([line]) => line)).toEqual([expect.stringMatching(/ is unreachable: /)]);
      await server().restart();
      const answers = async (): Promise<boolean> =>
        'answered' in ((await rejection(calls[1] as () => unknown)) as object);
      await until(answers, { describe: 'the server answers again' });
      expect(await schedules.page('', 10)).toMatchObject([{ name: 'a', version: 1 }]);
      expect(await schedules.put([write('a', { expected: 1 })])).toEqual([true]);
    });

    it.each(['does not answer', 'is away'])('an application stops while the server %s', async (state) => {
      jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      const occurred = new Gate();
      @Injectable()
      class Polls {
        @Interval('1s')
        poll(): void {
          occurred.open();
        }
      }
      const { app } = await startOn(
        { connection: server().url, prefix: place(), submitTimeout: '1h', whenUnreachable: 'wait' },
        Polls,
        { shutdownTimeout: '1s' },
      );
      await occurred.passed;
      if (state === 'is away') await server().kill();
      else server().pause();
      await app.close();
    });

    it('a put without an answer rejects, and the version then tells whether it was made', async () => {
      const schedules = await schedulesOn({
        connection: server().url,
        prefix: place(),
        submitTimeout: '1s',
        whenUnreachable: 'wait',
      });
      const first = async (): Promise<boolean> =>
        'answered' in ((await rejection(() => schedules.put([write('a')]))) as object);
      await until(first, { describe: 'the first version is stored' });
      server().pause();
      expect(
        await rejection(() => schedules.put([write('a', { expected: 1, body: '"late"' })])),
      ).toBeInstanceOf(EngineError);
      server().resume();
      let version = 0;
      const read = async (): Promise<boolean> => {
        const answer = (await rejection(() => schedules.get(['a']))) as { answered?: { version: number }[] };
        version = answer.answered?.[0]?.version ?? 0;
        return version > 0;
      };
      await until(read, { describe: 'the server answers again' });
      const again = async (): Promise<boolean> => {
        await read();
        const answer = await rejection(() =>
          schedules.put([write('a', { expected: version, body: '"again"' })]),
        );
        return JSON.stringify(answer) === '{"answered":[true]}';
      };
      await until(again, { describe: 'the write is repeated with the version that was read' });
      expect(await schedules.get(['a'])).toMatchObject([{ body: '"again"' }]);
    });
  });
}
