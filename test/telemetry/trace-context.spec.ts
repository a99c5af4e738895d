import { createTraceState, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { type Carrier, extract, inject } from '../../lib/telemetry/trace-context.js';
import { startApp } from '../support/app.js';
import { settle } from '../support/manual-clock.js';
import { Recording } from './open-telemetry.js';

const SPAN = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  traceState: createTraceState('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
};
const PARENT = `00-${SPAN.traceId}-${SPAN.spanId}-01`;

afterEach(() => propagation.disable());

it('without a global propagator, a submission and its attempt are one trace', async () => {
  const told = new Recording();
  const { app, flowrra } = await startApp(
    {},
    { imports: [FlowrraTelemetryModule.forRoot({ tracerProvider: told.tracerProvider })] },
  );
  flowrra.register({ name: 'work' }, () => 'done');
  await flowrra.waitForResult(await flowrra.submit('work'));
  await settle();
  const { traceId, spanId } = told.span('flowrra submit work').spanContext();
  const attempt = told.span('flowrra run work');
  expect(attempt.spanContext().traceId).toBe(traceId);
  expect(attempt.parentSpanContext).toMatchObject({ spanId, isRemote: true });
  await app.close();
  await told.shutdown();
});

it('writes and reads the same as the propagator of the SDK, so that fleets may mix', () => {
  const within = trace.setSpanContext(ROOT_CONTEXT, SPAN);
  const ours = inject(within);
  expect(ours).toEqual({ traceparent: PARENT, tracestate: SPAN.traceState.serialize() });
  const read = trace.getSpanContext(extract(ours));
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  expect(inject(within)).toEqual(ours);
  const theirs = trace.getSpanContext(extract(ours));
  expect({ ...read, traceState: read?.traceState?.serialize() }).toEqual({
    ...theirs,
    traceState: theirs?.traceState?.serialize(),
  });
});

it('carries nothing without a trace', () => {
  expect(inject(ROOT_CONTEXT)).toEqual({});
});

it.each<[unknown, boolean]>([
  [PARENT, true],
  [PARENT.replace('00-', 'cc-'), true],
  [`${PARENT.replace('00-', 'cc-')}-more`, true],
  [`${PARENT}-more`, false],
  [PARENT.replace('00-', 'ff-'), false],
  [PARENT.replace(SPAN.spanId, '0'.repeat(16)), false],
  [PARENT.toUpperCase(), false],
  ['', false],
  [5, false],
  [undefined, false],
])('reads the traceparent %j: %j', (traceparent, fits) => {
  const found = trace.getSpanContext(extract({ traceparent } as Carrier));
  expect(found !== undefined).toBe(fits);
});

it('reads nothing from an invalid carrier', () => {
  for (const carrier of [null, 'x', 5]) expect(extract(carrier as never)).toBe(ROOT_CONTEXT);
});
