import { startServices } from '../../scripts/services/services.mjs';
import { TestRedis } from '../support/bullmq.js';
import { describeEngineOn } from './bullmq.cases.js';

const services = await startServices({ postgres: false });
describeEngineOn(new TestRedis(services.redisUrl), { folder: 'bullmq', stop: () => services.stop() });
