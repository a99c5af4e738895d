import 'reflect-metadata';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { settings } from '../config/settings.js';
import { ShopModule } from './shop.module.js';

/** `postgres://…`, or the path of an SQLite file. */
const database = process.env['SHOP_DATABASE'] ?? join(tmpdir(), 'flowrra-sample-shop.db');

const app = await NestFactory.create(
  ShopModule.over(
    settings.engine,
    database.startsWith('postgres')
      ? { type: 'postgres', url: database }
      : { type: 'better-sqlite3', database },
  ),
);
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000);

const url = (await app.getUrl()).replace('[::1]', 'localhost');
console.log(`
Try it; 10 of tea are in stock:
  curl -i -X POST ${url}/orders -H 'content-type: application/json' -d '{"email":"ada@example.com","item":"tea","quantity":2}'
  curl -i -X POST ${url}/orders -H 'content-type: application/json' -d '{"email":"ada@example.com","item":"tea","quantity":20}'
  curl -s ${url}/orders/<orderId>
  curl -s ${url}/tasks/<taskId>
`);
