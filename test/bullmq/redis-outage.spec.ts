import { startServices } from '../../scripts/services/services.mjs';
import { outageCases } from './outage.cases.js';

const services = await startServices({ postgres: false, own: true, durable: true });
afterAll(() => services.stop());

outageCases(() => services.redis);
