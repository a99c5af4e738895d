import { startServices } from '../../../scripts/services/services.mjs';
import { recipeCases } from './recipe-cases.js';

const services = await startServices({ redis: false, postgres: false, mariadb: true });
afterAll(() => services.stop());

recipeCases(
  'mysql',
  { mysql2: () => import('../../../sample-app/transactions/recipes/mysql2.js') },
  services.mariadbUrl,
);
