import type { Metadata } from './job.js';
import { FlowrraConfigError } from './errors.js';

/** The key of the captured context in a job's metadata, beside the submitter's own keys. */
const CONTEXT = '$context';
/** The key of an instrumentation's trace data. Stored jobs contain it. */
const TRACE = '$mark';

/**
 * Joins the submitter's own metadata, the captured context and an instrumentation's trace data: a job is stored
 * with all three as its metadata.
 *
 * @throws {FlowrraConfigError} if the submitter's metadata has one of the keys that Flowrra uses.
 */
export function packMetadata(
  metadata: Metadata | undefined,
  context: unknown,
  trace?: unknown,
): Metadata | undefined {
  if (metadata !== undefined)
    for (const name of [CONTEXT, TRACE])
      if (name in metadata)
        throw new FlowrraConfigError(
          `metadata: '${name}' is a name that Flowrra uses itself. Choose another one.`,
        );
  if (context === undefined && trace === undefined) return metadata;
  return {
    ...metadata,
    ...(context !== undefined && { [CONTEXT]: context }),
    ...(trace !== undefined && { [TRACE]: trace }),
  };
}

/** The submitter's own metadata. */
export function metadataOf(all: Metadata | undefined): Metadata {
  if (all === undefined || !(CONTEXT in all || TRACE in all)) return all ?? NONE;
  const { [CONTEXT]: _context, [TRACE]: _trace, ...own } = all;
  return own;
}

/** The captured context; `undefined` for none. */
export function contextOf(all: Metadata | undefined): unknown {
  return all?.[CONTEXT];
}

/** The trace data of an instrumentation; `undefined` for none. */
export function carrierOf(all: Metadata | undefined): unknown {
  return all?.[TRACE];
}

const NONE: Metadata = Object.freeze({});
