import {
  type Context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';

/** A trace as it travels with a job. */
export type Carrier = Readonly<Record<string, string>>;

/** Of version 00, and of later ones, which may have further parts. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * By the propagator that is registered globally; without one as the W3C says, since an application
 * that gives a `tracerProvider` need not have registered any.
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

/** @param carrier As a job carries it, which a foreign program may have written. */
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

/** The API's own stand-in writes no fields. */
function isPropagatorRegistered(): boolean {
  return propagation.fields().length > 0;
}
