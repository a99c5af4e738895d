import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { FlowrraHealthIndicator } from 'flowrra/health';
import { HealthController } from './health.controller.js';

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [FlowrraHealthIndicator],
})
export class HealthModule {}
