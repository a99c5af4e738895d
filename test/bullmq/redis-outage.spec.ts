import { startServices } from '../../scripts/services/services.mjs';
import { SubmitUncertainError } from '../../lib/index.js';
import { place, startOn, Work } from './apps.js';
import { outageCases } from './outage.cases.js';

const services = await startServices({ postgres: false, own: true, durable: true });
afterAll(() => services.stop());

outageCases(() => services.redis);

it('while there is no connection, the error of a submission says so', async () => {
  const { flowrra } = await startOn({ connection: services.redisUrl, prefix: place() }, Work);
  await services.redis.kill();
  const refusal = (): Promise<unknown> => flowrra.submit('Work.double', 1).catch((error: unknown) => error);
  let error = await refusal();
  // The first ones may be what finds out that the connection has ended.
  while (error instanceof SubmitUncertainError) error = await refusal();
  expect(error).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: 'Redis is unreachable: Redis is not connected',
  });
  await services.redis.restart();
});
