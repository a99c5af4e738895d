import { startServices } from '../../scripts/services/services.mjs';
import { ownPlace } from '../support/own-place.js';
import { describeSample } from './sample-app.cases.js';

const services = await startServices();
const place = await ownPlace(services, 3);
afterAll(async () => {
  await place.remove();
  await services.stop();
});

describeSample(place.postgres);
