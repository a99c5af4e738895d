import { startServices } from '../../scripts/services/services.mjs';
import { ownPlace } from '../support/own-place.js';
import { expenseCases } from './expenses.cases.js';

const services = await startServices();
const place = await ownPlace(services, 6);
afterAll(async () => {
  await place.remove();
  await services.stop();
});

expenseCases('redis', place.redis);
