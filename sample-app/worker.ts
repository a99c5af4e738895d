// sample-app/worker.ts
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { settings } from './config/settings.js';

// It would wait for ever, and nobody would see why.
if (settings.engine === 'memory:' || settings.role === 'producer')
  throw new Error(
    'A worker needs an engine that the web server shares: set FLOWRRA_ENGINE, such as sqlite:./tasks.db or redis://localhost:6379. FLOWRRA_ROLE=producer is for the web server alone.',
  );

// The same application as in main.ts, without an HTTP server.
const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();
