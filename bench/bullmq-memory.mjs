import { startServices } from '../scripts/services/services.mjs';
import { inFlight } from './rate.mjs';

/** Peak memory, in MB, of a process that does a little of everything. */
export async function peakMemory({ server, jobs, turns }, open) {
  const services = await startServices({
    redis: server === 'redis',
    postgres: server === 'postgres',
    own: true,
  });
  const side = await open(server, server === 'redis' ? services.redisUrl : services.postgresUrl);
  for (let turn = 0; turn < turns; turn++) {
    await inFlight(jobs, 100, side.submit);
    await side.fill();
    await side.empty();
  }
  const rss = process.resourceUsage().maxRSS / 1024;
  await side.close();
  await services.stop();
  return { rss };
}
