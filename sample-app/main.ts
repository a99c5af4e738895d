// sample-app/main.ts
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
// A SIGTERM then lets running tasks finish.
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000);

const url = (await app.getUrl()).replace('[::1]', 'localhost');
console.log(`
Try it:
  curl -i -X POST ${url}/users -H 'content-type: application/json' -d '{"email":"ada@example.com","name":"Ada"}'
  curl -i -X POST ${url}/reports/primes -H 'content-type: application/json' -d '{"below":1000000}'
  curl -i -X POST ${url}/datasets -F file=@node_modules/vega-datasets/data/seattle-weather.csv
  curl -i -X POST ${url}/newsletters -H 'content-type: application/json' -d '{"subject":"News","to":["a@example.com","b@example.com"]}'
  curl -s ${url}/tasks/<taskId>
  curl -i -X DELETE ${url}/tasks/<taskId>
`);
