import { startServices } from '../../scripts/services/services.mjs';
import { SubmitUncertainError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { outageCases } from './outage.cases.js';
import { scheduleOutageCases } from './schedule-outage.cases.js';

const services = await startServices({ postgres: false, own: true, durable: true });
afterAll(() => services.stop());

outageCases(() => services.redis);
scheduleOutageCases(() => services.redis);

it('while there is no connection, the error of a submission says so', async () => {
  const { flowrra } = await startOn({ connection: services.redisUrl, prefix: place() }, Work);
  await services.redis.kill();
  const errorOfSubmit = (): Promise<unknown> =>
    flowrra.submit('Work.double', 1).catch((error: unknown) => error);
  let error = await errorOfSubmit();
  // The first submissions may be those that notice the end of the connection.
  while (error instanceof SubmitUncertainError) error = await errorOfSubmit();
  expect(error).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: 'Redis is unreachable: Redis is not connected',
  });
  await services.redis.restart();
});
