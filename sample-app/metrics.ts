// sample-app/metrics.ts
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Module, Req, Res } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { FlowrraModule } from 'flowrra';
import { FlowrraTelemetryModule } from 'flowrra/telemetry';
import { ReceiptTasks } from './snippets.js';

const prometheus = new PrometheusExporter({ preventServerStart: true });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [prometheus] }));

@Controller('metrics')
export class MetricsController {
  @Get()
  scrape(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    prometheus.getMetricsRequestHandler(request, response);
  }
}

@Module({
  imports: [FlowrraModule.forRoot(), FlowrraTelemetryModule.forRoot()],
  controllers: [MetricsController],
  providers: [ReceiptTasks],
})
export class MeasuredModule {}
