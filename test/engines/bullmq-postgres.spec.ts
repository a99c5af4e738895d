import { startServices } from '../../scripts/services/services.mjs';
import { TestPostgres } from '../support/bullmq.js';
import { describeEngineOn } from './bullmq.cases.js';

const services = await startServices({ redis: false });
describeEngineOn(new TestPostgres(services.postgresUrl), { folder: 'bullmq', stop: () => services.stop() });
