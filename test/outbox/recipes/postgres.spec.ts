import { startServices } from '../../../scripts/services/services.mjs';
import { recipeCases } from './recipe-cases.js';

const services = await startServices({ redis: false });
afterAll(() => services.stop());

recipeCases(
  'postgres',
  {
    Prisma: () => import('../../../sample-app/transactions/recipes/prisma.js'),
    TypeORM: () => import('../../../sample-app/transactions/recipes/typeorm.js'),
    Drizzle: () => import('../../../sample-app/transactions/recipes/drizzle.js'),
    MikroORM: () => import('../../../sample-app/transactions/recipes/mikro-orm.js'),
    Kysely: () => import('../../../sample-app/transactions/recipes/kysely.js'),
    Knex: () => import('../../../sample-app/transactions/recipes/knex.js'),
    pg: () => import('../../../sample-app/transactions/recipes/pg.js'),
    'pg, directly': () => import('../../../sample-app/transactions/recipes/direct.js'),
    'postgres.js': () => import('../../../sample-app/transactions/recipes/postgres-js.js'),
    'another library': () => import('../../../sample-app/transactions/recipes/own-connection.js'),
  },
  services.postgresUrl,
);
