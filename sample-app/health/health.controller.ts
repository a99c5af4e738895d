import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { FlowrraHealthIndicator } from 'flowrra/health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly flowrra: FlowrraHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.flowrra.isHealthy('flowrra', { maxPending: 5_000, maxFailureRate: 0.5, maxWait: '1m' }),
    ]);
  }
}
