import { DRIVER } from '../../support/sqlite.js';
import { recipeCases } from './recipe-cases.js';

const RECIPES = {
  'better-sqlite3': {
    'better-sqlite3': () => import('../../../sample-app/transactions/recipes/better-sqlite3.js'),
    'Drizzle over better-sqlite3': () => import('../../../sample-app/transactions/recipes/drizzle-sqlite.js'),
  },
  'node:sqlite': {
    'node:sqlite': () => import('../../../sample-app/transactions/recipes/node-sqlite.js'),
  },
};

recipeCases('sqlite', RECIPES[DRIVER]);
