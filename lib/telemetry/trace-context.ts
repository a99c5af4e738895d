import {
  type Context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';

/** A trace as a job carries it. */
export type Carrier = Readonly<Record<string, string>>;

/** Version 00, and later versions, which may have further parts. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * Writes a trace with the propagator that is registered globally. Without one it writes the W3C format, since an
 * application that gives a `tracerProvider` need not register a propagator.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
export function inject(within: Context): Carrier {
  const carrier: Record<string, string> = {};
  if (isPropagatorRegistered()) {
    propagation.inject(within, carrier);
    return carrier;
  }
  const span = trace.getSpanContext(within);
  if (span === undefined || !isSpanContextValid(span)) return carrier;
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, '0');
  carrier['traceparent'] = `00-${span.traceId}-${span.spanId}-${flags}`;
  const state = span.traceState?.serialize();
  if (state) carrier['tracestate'] = state;
  return carrier;
}

/** @param carrier The trace of a job. Another program may have written it, so it may be of any form. */
export function extract(carrier: Carrier | null): Context {
  if (isPropagatorRegistered()) return propagation.extract(ROOT_CONTEXT, carrier);
  const { traceparent, tracestate } = (carrier ?? {}) as { readonly [key: string]: unknown };
  const [, version, traceId, spanId, flags, rest] =
    (typeof traceparent === 'string' && TRACEPARENT.exec(traceparent)) || [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined))
    return ROOT_CONTEXT;
  const span = {
    traceId: traceId as string,
    spanId: spanId as string,
    traceFlags: Number.parseInt(flags as string, 16),
    isRemote: true,
    ...(typeof tracestate === 'string' && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT;
}

/** Without a registered propagator, the API uses one that has no fields. */
function isPropagatorRegistered(): boolean {
  return propagation.fields().length > 0;
}
