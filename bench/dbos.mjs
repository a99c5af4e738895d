import { DBOS } from '@dbos-inc/dbos-sdk';
import { startServices } from '../scripts/services/services.mjs';

const IN_FLIGHT = 64;

/** Steps a second with 64 workflows of DBOS Transact in flight, on PostgreSQL. */
export default async function dbos({ steps }) {
  const services = await startServices({ redis: false, own: true });
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: services.postgresUrl,
    systemDatabasePoolSize: 20,
    logLevel: 'error',
  });
  const workflow = DBOS.registerWorkflow(
    async (count) => {
      for (let n = 0; n < count; n++) await DBOS.runStep(async () => n, { name: `step ${n}` });
    },
    { name: 'steps' },
  );
  await DBOS.launch();
  const run = async (count) => (await DBOS.startWorkflow(workflow)(count)).getResult();
  await run(Math.ceil(steps / 2));
  const started = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, () => run(steps)));
  const rate = (1_000 * IN_FLIGHT * steps) / (performance.now() - started);
  await DBOS.shutdown();
  await services.stop();
  return { rate };
}
