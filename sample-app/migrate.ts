import { runMigrations } from 'bullmq';
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env['TASKS_URL'] });
await client.connect();
await runMigrations(client, 'bullmq');
await client.end();
