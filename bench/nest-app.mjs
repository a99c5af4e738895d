import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from '../dist/index.js';

/** Flowrra as applications have it: inside a Nest application, with default options but those given. */
export async function start(options = {}, providers = []) {
  class AppModule {}
  Module({ imports: [FlowrraModule.forRoot(options)], providers })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  return { app, flowrra: app.get(FlowrraService) };
}
