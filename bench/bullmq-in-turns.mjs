import { startServices } from '../scripts/services/services.mjs';
import { bare, BULK, flowrra } from './bullmq-sides.mjs';
import { inFlight, percentile } from './rate.mjs';

/** How many jobs one turn has, what it does with them, and what has to be done before its time counts. */
const TURNS = {
  single: (n) => [n / 10, (side) => inFlight(n / 10, 1, side.submit)],
  flight: (n) => [n, (side) => inFlight(n, 100, side.submit)],
  bulk: () => [BULK, (side) => side.bulk()],
  process: () => [BULK, (side) => side.empty(), (side) => side.fill()],
  trip: (n) => [n / 20, (side) => inFlight(n / 20, 1, side.trip)],
};

/** Flowrra and bare BullMQ take turns of a moment each, on one server and in one process, so that what disturbs one disturbs the other. */
export default async function inTurns({ server, jobs, turns }) {
  const services = await startServices({
    redis: server === 'redis',
    postgres: server === 'postgres',
    own: true,
  });
  const url = server === 'redis' ? services.redisUrl : services.postgresUrl;
  const sides = { ours: await flowrra(url), bare: await bare(server, url) };
  const found = {};
  for (const [what, turn] of Object.entries(TURNS)) {
    const [count, run, prepare] = turn(jobs);
    const taken = { ours: [], bare: [] };
    // The first turn warms up.
    for (let n = 0; n <= turns; n++) {
      for (const name of n % 2 === 0 ? ['ours', 'bare'] : ['bare', 'ours']) {
        await prepare?.(sides[name]);
        const started = performance.now();
        await run(sides[name]);
        if (n > 0) taken[name].push((performance.now() - started) / count);
      }
    }
    for (const name of ['ours', 'bare']) found[`${what} ${name}`] = percentile(taken[name], 0.5);
  }
  for (const side of Object.values(sides)) await side.close();
  await services.stop();
  return found;
}
