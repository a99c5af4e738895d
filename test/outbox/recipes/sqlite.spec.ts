import { recipeCases } from './recipe-cases.js';

// Node.js 20 has no node:sqlite.
const hasNodeSqlite = process.getBuiltinModule('node:sqlite') !== undefined;

recipeCases('sqlite', {
  'better-sqlite3': () => import('../../../sample-app/transactions/recipes/better-sqlite3.js'),
  'Drizzle over better-sqlite3': () => import('../../../sample-app/transactions/recipes/drizzle-sqlite.js'),
  ...(hasNodeSqlite && {
    'node:sqlite': () => import('../../../sample-app/transactions/recipes/node-sqlite.js'),
  }),
});
