import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, type FlowrraModuleOptions, FlowrraService } from '../../lib/index.js';

export interface TestApp {
  readonly app: INestApplicationContext;
  readonly flowrra: FlowrraService;
}

/** A started Nest application with Flowrra in it. CPU-bound tasks run in place: threads need built files. */
export async function startApp(
  options: FlowrraModuleOptions,
  metadata: ModuleMetadata = {},
): Promise<TestApp> {
  @Module({
    ...metadata,
    imports: [FlowrraModule.forRoot({ cpu: { mode: 'inline' }, ...options }), ...(metadata.imports ?? [])],
  })
  class TestModule {}

  const app = await NestFactory.createApplicationContext(TestModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  return { app, flowrra: app.get(FlowrraService) };
}
